"""How long an upgrade is expected to take: by past runs of its cluster, else by typical values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from octotui.upgrade.phases import sequence
from octotui.upgrade.plan import Estimate, Measure, Plan
from octotui.upgrade.planned_step import PlannedStep, longest_path

#: Kinds of which the past says nothing: how long deployments run that happen to run then, and
#: what of the packages lies in the cache already.
UNFORETOLD: Final = frozenset({"wait-for-tasks", "download"})

#: A step that is expected to take longer is one that takes time; seconds.
TAKES_TIME: Final = 1.0

_OUTAGE: Final = ("installing", "migrating", "starting")


def foretold(steps: Iterable[PlannedStep], measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """Those of the measures, by names of steps, that say how long one of these steps will take."""
    names = {step.name: None for step in steps if step.kind not in UNFORETOLD}
    return {name: measures[name] for name in names if name in measures}


def measured(
    steps: Iterable[PlannedStep], measures: Mapping[str, Measure], which: str = "median"
) -> tuple[PlannedStep, ...]:
    """The steps with the median of what was measured, or another of the measures, as duration."""
    return tuple(
        replace(step, seconds=getattr(measures[step.name], which))
        if step.name in measures
        else step
        for step in steps
    )


def estimate(
    steps: Sequence[PlannedStep], reopen: str, measures: Mapping[str, Measure]
) -> Estimate:
    """Outage, time until all are up, and the maintenance window, from the steps' durations.

    ``measures``: what the durations rest on.
    """
    seconds = _by_phase(steps)
    outage = _outage(steps)
    all_up = outage + seconds["joining"]
    closed = outage if reopen == "first-verified" else all_up + seconds["finishing"]
    window = seconds["draining"] + seconds["stopping"] + closed
    runs = max((measure.runs for measure in measures.values()), default=0)
    return Estimate(round(outage, 3), round(all_up, 3), round(window, 3), runs)


def expectation(plan: Plan, words: Callable[[float], str]) -> str:
    """How long the upgrade is expected to take, and what that rests on.

    ``words``: how seconds are told. The outage has a range where measured steps have one: all of
    them at their best, to all at their worst.
    """
    expected = plan.estimate
    best, worst = (
        words(_outage(measured(plan.steps, plan.measures, which))) for which in ("best", "worst")
    )
    spread = f" ({best} to {worst})" if best != worst else ""
    return (
        f"outage {words(expected.outage_seconds)}{spread}, "
        f"all nodes up after {words(expected.all_up_seconds)}, "
        f"maintenance mode {words(expected.maintenance_seconds)} ({basis(plan)})"
    )


def basis(plan: Plan) -> str:
    """What the expected durations rest on, in words."""
    runs = plan.estimate.based_on_runs
    if not runs:
        return "typical values, not measured here"
    names = {step.name for step in plan.steps if step.seconds > TAKES_TIME}
    known = len(names & plan.measures.keys())
    past = f"{runs} past run{'s' if runs > 1 else ''}"
    return f"{known} of {len(names)} steps that take time measured in {past}"


def _outage(steps: Sequence[PlannedStep]) -> float:
    seconds = _by_phase(steps)
    return sum(seconds[phase] for phase in _OUTAGE)


def _by_phase(steps: Sequence[PlannedStep]) -> dict[str, float]:
    return {
        phase: longest_path(step for step in steps if step.phase == phase)
        for phase in sequence(cluster=True)
    }
