"""The rows of the home screen, read from profiles and journals. Only for use in a thread."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from octotui.api.errors import OctotuiError
from octotui.profile.find import profile_folders
from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal
from octotui.run.process import is_alive
from octotui.tui.widgets.phases import expectations, phases_now, remaining
from octotui.tui.words import SERVING_MARKS
from octotui.upgrade.phases import BY_NAME, WAITING
from octotui.view import RunView

#: So many of the newest runs are listed.
NEWEST = 50


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
    """Reads both lists. Journals are read on from where they were left the last time."""

    def __init__(self) -> None:
        self._views: dict[RunDirectory, RunView] = {}
        self._read_at: dict[RunDirectory, tuple[float, ...]] = {}

    def read(self, now: float) -> tuple[list[ProfileRow], list[RunRow]]:
        """Profiles by name; runs that wait for a person first, those that work, then the newest."""
        newest = list(RunDirectory.all())[-NEWEST:][::-1]
        known = [row for row in (self._run(run, now) for run in newest) if row is not None]
        profiles = [_profile(path, known) for path in _profile_files()]
        return profiles, sorted(known, key=lambda row: (not row.waits, not row.alive))

    def _run(self, run: RunDirectory, now: float) -> RunRow | None:
        view = self._views.setdefault(run, RunView())
        alive = is_alive(run)
        if alive or self._read_at.get(run) != _touched(run):
            touched = _touched(run)
            try:
                journal = Journal(run.journal, run.run_id)
                try:
                    for event in journal.events(view.seq):
                        view.apply(event)
                finally:
                    journal.close()
            except OctotuiError:
                return None  # a broken journal is told when it is opened
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
    """When the journal's files were written last."""
    paths = (run.journal, run.journal.with_name("run.db-wal"))
    return tuple(path.stat().st_mtime for path in paths if path.is_file())


def _profile_files() -> list[Path]:
    return sorted(
        (path for folder in profile_folders() if folder.is_dir() for path in folder.glob("*.toml")),
        key=lambda path: path.stem,
    )


def _profile(path: Path, runs: list[RunRow]) -> ProfileRow:
    own = str(path.resolve())
    last = next((row for row in runs if row.profile == own), None)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        url = str(data.get("octopus", {}).get("url", "")).rstrip("/")
        nodes = tuple(str(node.get("name", "?")) for node in data.get("nodes", ()))
    except (OSError, ValueError, AttributeError) as error:
        return ProfileRow(path, "", (), last, f"cannot be read: {error}")
    same = (row for row in runs if row.alive and (row.profile == own or row.cluster == url))
    return ProfileRow(path, url, nodes, last, running=next(same, None))
