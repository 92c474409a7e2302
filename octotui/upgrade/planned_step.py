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

    @property
    def name(self) -> str:
        """The id without the node: the same for all nodes, and from run to run."""
        return step_name(self.id)


def step_name(step_id: str) -> str:
    """``joining.install`` of ``joining.install@N2``."""
    return step_id.partition("@")[0]


def schedule(steps: Iterable[PlannedStep]) -> dict[str, tuple[float, float]]:
    """When each step of one phase begins and ends, in seconds from the phase's beginning, where

    everything that may run at once does. By step id.
    """
    times: dict[str, tuple[float, float]] = {}
    for step in steps:  # a plan lists steps after those they wait for
        begin = max((times[before][1] for before in step.after if before in times), default=0.0)
        times[step.id] = (begin, begin + step.seconds)
    return times


def longest_path(steps: Iterable[PlannedStep]) -> float:
    """Seconds that steps of one phase take when everything that may run at once does."""
    return max((end for _, end in schedule(steps).values()), default=0.0)
