"""Runs to look at: journals that are kept in files, cut off where a test wants to look.

``tests/tui/record_journals.py`` makes the files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from octotui.api.events import Event
from octotui.run.directory import RunDirectory
from octotui.run.journal import Command, Journal
from octotui.run.process import process_lock
from octotui.view import RunView, fold

if TYPE_CHECKING:
    from textual.pilot import Pilot

JOURNALS = Path(__file__).parent / "tui" / "journals"

#: The id under which the runs were recorded: nodes keep jobs in folders named after it.
RUN_ID = "20251009-085320-0001"


class Recorded:
    """A run directory with a recorded journal, up to and without the first event ``until`` takes.

    The logs end with the last event, too. ``alive``: as if a runner worked on it. ``run_id`` and
    ``profile`` replace those that were recorded; ``ago``: so many seconds earlier.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        until: Callable[[dict[str, Any]], bool] = lambda event: False,
        *,
        alive: bool = True,
        run_id: str = RUN_ID,
        profile: str = "",
        ago: float = 0.0,
    ) -> None:
        path = folder / "runs" / run_id
        (path / "logs").mkdir(parents=True)
        self.run = RunDirectory(path)
        self.at, self.later = 0.0, 4.0
        self.journal = Journal(self.run.journal, self.run.run_id, now=lambda: self.at)
        self.journal._db.execute("PRAGMA synchronous=OFF")  # a copy need not survive a crash
        self.journal._db.execute("BEGIN")
        for line in (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if until(event):
                break
            if profile and event["kind"] == "run.started":
                event["data"]["profile"] = profile
            self.tell(event["kind"], event["data"], event["subject"], at=event["at"] - ago)
        self.journal._db.execute("COMMIT")
        write_logs(JOURNALS / f"{name}.log", path / "logs", self.at)
        self._lock = process_lock(self.run)
        if alive:
            self.live()

    def tell(self, kind: str, data: dict[str, Any], subject: str = "run", at: float = 0.0) -> None:
        """Appends an event, a second after the last unless told otherwise."""
        self.at = at or self.at + 1.0
        self.journal.append(subject, kind, data)

    def commands(self) -> list[Command]:
        return self.journal.pending_commands()

    def now(self) -> float:
        """Some seconds after the last event."""
        return self.at + self.later

    def live(self) -> None:
        """From here on a process carries it out."""
        self._lock.acquire()

    def die(self) -> None:
        """From here on nobody does."""
        self._lock.release()

    def close(self) -> None:
        self.die()
        self.journal.close()


#: Makes a recorded run; its arguments are those of ``Recorded`` but for the folder.
Make: TypeAlias = Callable[..., Recorded]


def view_of(
    name: str,
    until: Callable[[dict[str, Any]], bool] = lambda event: False,
    *,
    late: Callable[[dict[str, Any]], bool] = lambda event: False,
    by: float = 0.0,
) -> RunView:
    """A recorded run up to an event; all from the ``late`` one on is ``by`` seconds later."""
    events: list[Event] = []
    delay = 0.0
    for line in (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        if until(data):
            break
        delay = by if late(data) else delay
        at = data["at"] + delay
        events.append(Event(len(events) + 1, at, "r", data["subject"], data["kind"], data["data"]))
    return fold(events)


def write_logs(recorded: Path, folder: Path, until: float) -> None:
    """Puts the lines that had come by ``until``, epoch seconds, into a log a node."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    logs: dict[str, list[str]] = {}
    for line in recorded.read_text(encoding="utf-8").splitlines(keepends=True):
        node, _, rest = line.partition(" ")
        if rest[: len(stamp)] <= stamp:
            logs.setdefault(node, []).append(rest)
    for node, lines in logs.items():
        (folder / f"{node}.log").write_text("".join(lines), encoding="utf-8")


def enters(state: str) -> Callable[[dict[str, Any]], bool]:
    """The event with which a run enters that state."""
    return lambda event: event["kind"] == "state" and event["data"]["to"] == state


def begins(step: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["kind"] == "step.started" and event["data"]["step"] == step


def ends(step: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["kind"] == "step.ended" and event["data"]["step"] == step


def is_end(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "run.ended")


def sent(run: Recorded) -> list[tuple[str, str]]:
    """The commands that wait in the journal, each with its argument."""
    return [(command.command, command.argument) for command in run.commands()]


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Waits for what a thread or a child does, seconds at most: a slow machine fails no test."""
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come")
