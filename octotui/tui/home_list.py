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
from octotui.tui.words import SERVING_MARKS
from octotui.view import RunView

#: So many of the newest runs are listed.
NEWEST = 50


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. ``nodes`` are sentences of how each node stood when it was last seen."""

    run: RunDirectory
    cluster: str
    profile: str
    from_version: str
    to_version: str
    state: str
    alive: bool
    ended: bool
    started: float | None
    outage: float | None
    version: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One profile as far as it can be read without plugins; ``last`` is its newest run."""

    path: Path
    url: str
    nodes: tuple[str, ...]
    last: RunRow | None
    fault: str = ""

    @property
    def name(self) -> str:
        return self.path.stem


class HomeList:
    """Reads both lists. Journals are read on from where they were left the last time."""

    def __init__(self) -> None:
        self.shown = False
        self._views: dict[RunDirectory, RunView] = {}
        self._read_at: dict[RunDirectory, tuple[float, ...]] = {}

    def read(self) -> tuple[list[ProfileRow], list[RunRow]]:
        """Profiles by name, and the newest runs first."""
        runs = [self._run(run) for run in list(RunDirectory.all())[-NEWEST:]][::-1]
        known = [row for row in runs if row is not None]
        return [_profile(path, known) for path in _profile_files()], known

    def _run(self, run: RunDirectory) -> RunRow | None:
        view = self._views.setdefault(run, RunView())
        alive = is_alive(run)
        if alive or self._read_at.get(run) != _touched(run):
            try:
                journal = Journal(run.journal, run.run_id)
                try:
                    for event in journal.events(view.seq):
                        view.apply(event)
                finally:
                    journal.close()
            except OctotuiError:
                return None  # a broken journal is told when it is opened
            self._read_at[run] = _touched(run)
        outage = view.clocks(view.ended_at or view.state_since).outage
        versions = {node.version for node in view.nodes.values() if node.version}
        return RunRow(
            run=run,
            cluster=view.cluster,
            profile=view.profile,
            from_version=view.from_version,
            to_version=view.to_version,
            state=view.outcome if view.outcome == "refused" else view.state,
            alive=alive,
            ended=bool(view.outcome),
            started=view.started,
            outage=outage if view.first_serving else None,
            version=" and ".join(sorted(versions)) or view.from_version,
            nodes=tuple(_stands(view)),
        )


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
        url = str(data.get("octopus", {}).get("url", ""))
        nodes = tuple(str(node.get("name", "?")) for node in data.get("nodes", ()))
    except (OSError, ValueError, AttributeError) as error:
        return ProfileRow(path, "", (), last, f"cannot be read: {error}")
    return ProfileRow(path, url, nodes, last)
