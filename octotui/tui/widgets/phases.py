"""How far each phase of a run is, and how long it took against the plan: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from octotui.upgrade.phases import BY_NAME, FINAL, ROLLING_BACK, WAITING, sequence
from octotui.upgrade.planned_step import PlannedStep, longest_path
from octotui.view import RunView

PhaseState: TypeAlias = Literal["to do", "running", "waiting", "done", "failed", "unknown"]

#: A state's glyph and style.
MARKS: Mapping[PhaseState, tuple[str, str]] = {
    "to do": ("⋅", "dim"),
    "running": ("▶", "busy"),
    "waiting": ("!", "warn"),
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "unknown": ("?", "warn"),
}


@dataclass(frozen=True, slots=True)
class PhaseNow:
    """A phase. ``taken`` and ``expected`` are seconds; None where there is nothing to say."""

    name: str
    state: PhaseState
    taken: float | None
    expected: float | None

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")


def expectations(plan: Mapping[str, Any]) -> dict[str, float]:
    """Seconds that each phase should take by its plan: the longest way through its steps."""
    steps: dict[str, list[PlannedStep]] = {}
    for data in plan.get("steps", ()):
        step = PlannedStep(**{**data, "after": tuple(data["after"])})
        steps.setdefault(step.phase, []).append(step)
    return {phase: longest_path(found) for phase, found in steps.items()}


def phases_now(
    view: RunView, now: float, expected: Mapping[str, float], *, alive: bool = True
) -> list[PhaseNow]:
    """Every phase in order; rolling back only where that was begun.

    ``alive``: a process works on the run. Without one it is unknown how far the phase came.
    """
    where = view.waiting_phase if view.state in WAITING else view.state
    names = [name for name in sequence(len(view.nodes) != 1) if name != "ready"]
    spans = _spans(view, now)
    backs_out = where == ROLLING_BACK.name or ROLLING_BACK.name in spans
    if backs_out:
        names = [n for n in names if n in spans or n == "preflight"] + [ROLLING_BACK.name]
    failed = {step.phase for step in view.failed_steps()}
    found = []
    for name in names:
        if name == where and view.state == "held":
            state: PhaseState = "waiting"
        elif name == where and view.state == "needs_person":
            state = "failed"
        elif name == where and view.state in BY_NAME:
            state = "running" if alive else "unknown"
        elif name in failed or (name == "preflight" and view.outcome == "refused"):
            state = "failed"
        elif _is_behind(name, where, view, names):
            state = "done"
        else:
            state = "to do"
        found.append(PhaseNow(name, state, spans.get(name), expected.get(name) or None))
    return found


def goes_back(view: RunView) -> bool:
    """Whether the run is on the way back, or has gone it: nothing is next that the plan has."""
    return ROLLING_BACK.name in (view.state, view.waiting_phase) or view.state == "rolled_back"


def current_phase(view: RunView, phases: Sequence[PhaseNow]) -> PhaseNow | None:
    """The phase that the run is in or waits before; on the way back that is not what failed.

    None where the run has ended: nothing goes on then.
    """
    if view.state in FINAL or view.outcome == "refused":
        return None
    for states in (("running", "waiting", "unknown"), ("failed",)):
        found = next((phase for phase in reversed(phases) if phase.state in states), None)
        if found:
            return found
    return None


def remaining(phases: Sequence[PhaseNow]) -> float | None:
    """Seconds to the end as far as the plan foresees them; None where it says nothing.

    What takes longer than expected is taken to end now.
    """
    if phases[-1].name == ROLLING_BACK.name or not any(phase.expected for phase in phases):
        return None
    left = 0.0
    for phase in phases:
        if phase.state == "to do":
            left += phase.expected or 0.0
        elif phase.state == "running":
            left += max(0.0, (phase.expected or 0.0) - (phase.taken or 0.0))
    return left


def _is_behind(name: str, where: str, view: RunView, names: list[str]) -> bool:
    if where == "ready":
        return name == "preflight"
    if where in names:
        return names.index(name) < names.index(where)
    if view.state in ("succeeded", "rolled_back"):
        return True
    return name == "preflight" or any(
        step.phase == name and step.state in ("done", "already") for step in view.steps.values()
    )


def _spans(view: RunView, now: float) -> dict[str, float]:
    """Seconds from the first start to the last end of the steps of each phase, or to now."""
    begin: dict[str, float] = {}
    end: dict[str, float] = {}
    for step in view.steps.values():
        if step.started is not None:
            begin[step.phase] = min(begin.get(step.phase, step.started), step.started)
            until = step.ended if step.ended is not None else view.ended_at or now
            end[step.phase] = max(end.get(step.phase, until), until)
    return {phase: max(0.0, end[phase] - first) for phase, first in begin.items()}
