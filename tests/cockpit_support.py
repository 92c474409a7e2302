"""Runs to look at: journals that are kept in files, cut off where a test wants to look."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from octotui.run.directory import RunDirectory
from octotui.run.journal import Command, Journal
from octotui.run.process import process_lock

JOURNALS = Path(__file__).parent / "tui" / "journals"

#: Log lines of one node; what a screen shows of them does not depend on when the test runs.
LOG = """\
2025-10-09T08:58:56Z msiexec.exe /i "C:/octotui/Octopus.2025.4.10428-x64.msi" /quiet /norestart
2025-10-09T08:59:56Z === Verbose logging started ===
2025-10-09T08:59:56Z Action ended: InstallFinalize. Return value 3.
"""


class Recorded:
    """A run directory with a recorded journal, up to and without the first event ``until`` takes.

    ``alive``: as if a runner worked on it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        until: Callable[[dict[str, Any]], bool] = lambda event: False,
        *,
        alive: bool = True,
    ) -> None:
        path = folder / "runs" / "20251009-085320-0001"
        (path / "logs").mkdir(parents=True)
        (path / "logs" / "OCTO2.log").write_text(LOG)
        self.run = RunDirectory(path)
        self.at = 0.0
        self.journal = Journal(self.run.journal, self.run.run_id, now=lambda: self.at)
        for line in (JOURNALS / f"{name}.jsonl").read_text().splitlines():
            event = json.loads(line)
            if until(event):
                break
            self.tell(event["kind"], event["data"], event["subject"], at=event["at"])
        self._lock = process_lock(self.run)
        if alive:
            self._lock.acquire()

    def tell(self, kind: str, data: dict[str, Any], subject: str = "run", at: float = 0.0) -> None:
        """Appends an event, a second after the last unless told otherwise."""
        self.at = at or self.at + 1.0
        self.journal.append(subject, kind, data)

    def commands(self) -> list[Command]:
        return self.journal.pending_commands()

    def now(self) -> float:
        """Four seconds after the last event."""
        return self.at + 4.0

    def close(self) -> None:
        self._lock.release()
        self.journal.close()


def enters(state: str) -> Callable[[dict[str, Any]], bool]:
    """The event with which a run enters that state."""
    return lambda event: event["kind"] == "state" and event["data"]["to"] == state


def begins(step: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["kind"] == "step.started" and event["data"]["step"] == step


def is_end(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "run.ended")
