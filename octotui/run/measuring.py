"""How long steps took in past runs of a cluster, read from the journals that lie here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final

from octotui.run.directory import RunDirectory
from octotui.run.journal import MISFIT, JournalError
from octotui.run.reading import ReadingJournal
from octotui.upgrade.plan import Measure
from octotui.upgrade.planned_step import step_name

#: So many runs that carried steps out are measured at most: a cluster changes with the years.
NEWEST: Final = 10


def past_measures(installation_id: str, own_run: str) -> dict[str, Measure]:
    """What past runs of that cluster measured, by names of steps. Only looks; reads files.

    One measure is how long the slowest node of a run took for a step: nodes work side by side, and
    the phase ends with the last of them. The phase belongs to the step's name, since the first
    node's start after the database upgrade is not like the others'. A journal that cannot be read
    counts as none.
    """
    runs: list[dict[str, float]] = []
    for run in reversed(list(RunDirectory.all())):
        if run.run_id == own_run:
            continue
        try:
            durations = _durations(run, installation_id)
        except (JournalError, *MISFIT):
            continue
        if durations:
            runs.append(durations)
        if len(runs) == NEWEST:
            break
    names = sorted({name for durations in runs for name in durations})
    return {name: _measure([run[name] for run in runs if name in run]) for name in names}


def _durations(run: RunDirectory, installation_id: str) -> dict[str, float]:
    """Seconds of each step that was done at a stretch, its slowest node's; none of other clusters.

    A step that was begun twice, after a failure or by another process, went on from where it had
    come to: neither time is that of the whole.
    """
    journal = ReadingJournal(run.journal, run.run_id)
    plan = journal.last("plan")
    if plan is None or plan.data["installation_id"] != installation_id:
        return {}
    begun: Counter[str] = Counter()
    durations: dict[str, float] = {}
    for event in journal.of_kinds("step.started", "step.ended"):
        step = event.data["step"]
        if event.kind == "step.started":
            begun[step] += 1
        elif event.data["outcome"] == "done" and begun[step] == 1:
            name, seconds = step_name(step), float(event.data["seconds"])
            if math.isfinite(seconds) and seconds >= 0:  # the clock may have been set
                durations[name] = max(seconds, durations.get(name, 0.0))
    return durations


def _measure(newest_first: Sequence[float]) -> Measure:
    return Measure(
        runs=len(newest_first),
        last=newest_first[0],
        median=round(median(newest_first), 3),
        best=min(newest_first),
        worst=max(newest_first),
    )
