"""The rows of the home screen, read from profiles and journals. Only for use in a thread."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octotui.api.errors import OctotuiError
from octotui.profile.find import profile_files
from octotui.profile.plain import read_plain
from octotui.run.directory import RunDirectory
from octotui.run.journal import MISFIT
from octotui.run.process import is_alive
from octotui.run.reading import ReadingJournal
from octotui.tui.widgets.phases import expectations, phases_now, remaining
from octotui.tui.words import SERVING_MARKS
from octotui.upgrade.phases import BY_NAME, WAITING
from octotui.view import RunView, take

#: So many of the newest runs are listed.
NEWEST: Final = 50

#: A run that could not be read is tried again after so long, seconds.
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. ``nodes`` are sentences of how each node stood when it was last seen.

    ``done`` of ``steps`` have ended well; ``ends``: when all should be done. ``outage`` in
    seconds, or since when nobody can work, ``out_since``. ``changed``: it has touched the cluster.
    Times are epoch seconds.
    """

    run: RunDirectory
    cluster: str
    profile: str
    from_version: str
    to_version: str
    state: str
    phase: str
    alive: bool
    ended: bool
    changed: bool
    started: float | None
    ended_at: float | None
    ends: float | None
    outage: float | None
    out_since: float | None
    done: int
    steps: int
    by: str
    version: str
    nodes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the cluster is called here: by its profile, else by its address."""
        return Path(self.profile).stem or self.cluster.partition("//")[2]

    @property
    def gone(self) -> bool:
        """Nobody carries it out, and it has not come to an end."""
        return not self.alive and not self.ended

    @property
    def waits(self) -> bool:
        """Whether it needs a person before anything goes on."""
        if self.state == "ready":
            return self.alive
        return self.state in WAITING or (self.gone and self.changed)


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One profile as far as it can be read without plugins; ``last`` is its newest run.

    ``running``: a run that works on the same cluster now, whichever profile began it.
    """

    path: Path
    url: str
    nodes: tuple[str, ...]
    last: RunRow | None
    fault: str = ""
    running: RunRow | None = None

    @property
    def name(self) -> str:
        return self.path.stem


class HomeList:
    """Reads both lists. Journals are read on from where they were left the last time.

    ``unreadable``: how many of the newest runs cannot be read, and are not listed therefore.
    """

    def __init__(self) -> None:
        self.unreadable = 0
        self._views: dict[RunDirectory, RunView] = {}
        self._read_at: dict[RunDirectory, tuple[float, ...]] = {}
        self._again_at: dict[RunDirectory, float] = {}

    def read(self, now: float) -> tuple[list[ProfileRow], list[RunRow]]:
        """Profiles by name; runs that wait for a person first, those that work, then the newest.

        Raises OSError where the folder of runs cannot be read.
        """
        newest = list(RunDirectory.all())[-NEWEST:][::-1]
        known = [row for row in (self._run(run, now) for run in newest) if row is not None]
        self.unreadable = sum(run in self._again_at for run in newest)
        profiles = [_profile(path, known) for path in profile_files()]
        return profiles, sorted(known, key=lambda row: (not row.waits, not row.alive))

    def _run(self, run: RunDirectory, now: float) -> RunRow | None:
        if now < self._again_at.get(run, now):
            return None
        try:
            row = self._read(run, now)
        # What is wrong with it is told when it is opened.
        except (OctotuiError, OSError, *MISFIT):
            self._views.pop(run, None)
            self._read_at.pop(run, None)
            self._again_at[run] = now + PATIENCE
            return None
        self._again_at.pop(run, None)
        return row

    def _read(self, run: RunDirectory, now: float) -> RunRow:
        view = self._views.setdefault(run, RunView())
        alive, touched = is_alive(run), _touched(run)
        if alive or self._read_at.get(run) != touched:
            for event in ReadingJournal(run.journal, run.run_id).events(view.seq):
                take(view, event)
            self._read_at[run] = touched
        return _row(run, view, alive, now)


def _row(run: RunDirectory, view: RunView, alive: bool, now: float) -> RunRow:
    versions = {node.version for node in view.nodes.values() if node.version}
    out = view.last_stop is not None and not view.first_serving and not view.ended_at
    return RunRow(
        run=run,
        cluster=view.cluster,
        profile=view.profile,
        from_version=view.from_version,
        to_version=view.to_version,
        state=view.outcome if view.outcome == "refused" else view.state,
        phase=view.waiting_phase if view.state in WAITING else view.state,
        alive=alive,
        ended=bool(view.outcome),
        changed=view.changed,
        started=view.started,
        ended_at=view.ended_at,
        ends=_ends(view, now) if alive else None,
        outage=view.clocks(now).outage if view.first_serving else None,
        out_since=view.last_stop if out else None,
        done=sum(step.state in ("done", "already") for step in view.steps.values()),
        steps=len(view.steps),
        by=next((str(c["by"]) for c in view.commands if c["command"] == "approve"), ""),
        version=" and ".join(sorted(versions)) or view.from_version,
        nodes=tuple(_stands(view)),
    )


def _ends(view: RunView, now: float) -> float | None:
    """When all should be done, to the whole minute; None while it waits."""
    if view.state not in BY_NAME or view.state == "ready" or not view.plan:
        return None
    left = remaining(phases_now(view, now, expectations(view.plan)))
    return None if left is None else (now + left) // 60 * 60


def _stands(view: RunView) -> list[str]:
    return [
        f"{node.name} {node.version or '?'} {SERVING_MARKS[node.serving][0]}"
        for node in view.nodes.values()
    ]


def _touched(run: RunDirectory) -> tuple[float, ...]:
    """When the journal's files were written last; either of them may be gone by now."""
    times = []
    for path in (run.journal, run.journal.with_name("run.db-wal")):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return tuple(times)


def _profile(path: Path, runs: list[RunRow]) -> ProfileRow:
    own = os.path.realpath(path)
    # One that was refused before it began says nothing of the cluster.
    begun = (row for row in runs if row.started is not None)
    last = next((row for row in begun if row.profile == own), None)
    read = read_plain(path)
    same = (
        row
        for row in runs
        if row.alive and (row.profile == own or (read.url and row.cluster == read.url))
    )
    names = tuple(name for name, _ in read.nodes)
    return ProfileRow(path, read.url, names, last, read.fault, next(same, None))
