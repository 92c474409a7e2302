"""One step of a plan, and how long steps take together. Alone: the screen begins with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of the plan.

    ``after`` names steps of the same phase that must have ended well before. ``seconds`` is the
    expected duration. ``node`` is None for the cluster's own steps.
    """

    id: str
    kind: str
    phase: str
    title: str
    node: str | None
    after: tuple[str, ...]
    seconds: float


def longest_path(steps: Iterable[PlannedStep]) -> float:
    """Seconds that steps of one phase take when everything that may run at once does."""
    ends: dict[str, float] = {}
    for step in steps:  # a plan lists steps after those they wait for
        begin = max((ends.get(before, 0.0) for before in step.after), default=0.0)
        ends[step.id] = begin + step.seconds
    return max(ends.values(), default=0.0)
