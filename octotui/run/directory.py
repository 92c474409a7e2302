"""Where runs live: one directory a run, below the platform's state folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from octotui.api.errors import OctotuiError


def state_folder() -> Path:
    """``OCTOTUI_STATE_DIR``, else the platform's state folder for this user."""
    configured = os.environ.get("OCTOTUI_STATE_DIR")
    if configured:
        return Path(configured)
    import platformdirs

    return Path(platformdirs.user_state_path("octotui", appauthor=False))


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "run.db"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def runner_log(self) -> Path:
        """What the runner's process itself wrote: empty unless something is badly wrong."""
        return self.path / "runner.log"

    @property
    def report(self) -> Path:
        return self.path / "report.md"

    def remove(self) -> None:
        """Removes a run that never began."""
        import shutil

        shutil.rmtree(self.path, ignore_errors=True)

    @classmethod
    def create(cls) -> RunDirectory:
        """A new run's directory, readable by its owner only. Raises OctotuiError."""
        import secrets  # a reader of runs does without

        # The id is part of job folders on nodes: lower case, digits, dashes.
        run_id = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + "-" + secrets.token_hex(2)
        path = state_folder() / "runs" / run_id
        try:
            path.mkdir(parents=True, mode=0o700)
            (path / "logs").mkdir(mode=0o700)
        except OSError as error:
            raise OctotuiError(
                f"the run's directory {path} cannot be made: {error.strerror}",
                left="Nothing was done",
                next_step="Make it writable, or name another folder in OCTOTUI_STATE_DIR",
            ) from error
        return cls(path)

    @classmethod
    def find(cls, name: str = "") -> RunDirectory:
        """A run by its id or the beginning of it; the newest one for an empty name.

        Raises OctotuiError.
        """
        runs = list(cls.all())
        matching = [run for run in runs if run.run_id.startswith(name)]
        if not matching:
            known = ", ".join(run.run_id for run in runs[-3:]) or "none"
            raise OctotuiError(
                f"there is no run '{name}'" if name else "there is no run yet",
                next_step=f"The newest runs: {known}. 'octotui runs' lists all",
            )
        if name and len(matching) > 1 and matching[-1].run_id != name:
            raise OctotuiError(
                f"'{name}' begins more than one run: {', '.join(r.run_id for r in matching)}",
                next_step="Give more of the id",
            )
        return matching[-1]

    @classmethod
    def all(cls) -> Iterator[RunDirectory]:
        """Every run, oldest first."""
        folder = state_folder() / "runs"
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if (path / "run.db").is_file():
                    yield cls(path)
