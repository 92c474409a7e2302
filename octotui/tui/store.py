"""The one reader behind all screens: a run's journal and logs, folded into what is shown."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from octotui.run.control import check_command
from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal
from octotui.run.process import is_alive
from octotui.tui.log_tail import LogLine, LogTail
from octotui.tui.situation import Situation
from octotui.view import RunView

#: Whether the runner lives is looked at this often, seconds: the look takes its lock for a moment.
ALIVE_PAUSE = 1.0

#: So many log lines are kept for screens that are opened later.
KEPT_LINES = 100_000


class Store:
    """One run. ``poll`` takes in what is new; everything else only looks at it."""

    def __init__(self, run: RunDirectory, now: Callable[[], float] = time.time) -> None:
        self.run = run
        self.view = RunView()
        self.alive = True
        self.now = now
        self.heard = now()
        self._asked = 0.0
        self._journal = Journal(run.journal, run.run_id)
        self._tail = LogTail(run.logs)
        self._lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self.line_count = 0
        self.poll()
        self.first_seq = self.view.seq

    @property
    def situation(self) -> Situation:
        return Situation(self.view, self.alive)

    def poll(self) -> bool:
        """Reads what the journal has that was not seen yet; True where that is anything.

        Microseconds while there is nothing; a whole journal at the first time.
        """
        before = self.view.seq
        resumed = False
        for event in self._journal.events(before):
            self.view.apply(event)
            resumed = resumed or event.kind in ("run.started", "run.resumed")
        if news := self.view.seq > before:
            self.heard = self.now()
        if resumed or self.now() - self._asked >= ALIVE_PAUSE:
            self._asked = self.now()
            self.alive = is_alive(self.run)
        lines = self._tail.poll()
        self._lines.extend(lines)
        self.line_count += len(lines)
        return news or bool(lines)

    def lines_after(self, count: int) -> list[LogLine]:
        """Log lines of all nodes after the first ``count``, as far as they are kept."""
        new = min(self.line_count - count, len(self._lines))
        # From the end: a deque is walked from its ends, and there may be a hundred thousand.
        return list(islice(reversed(self._lines), max(0, new)))[::-1]

    def last_words(self) -> str:
        """What a runner that died said at last."""
        if not self.run.runner_log.is_file():
            return ""
        return self.run.runner_log.read_text(errors="replace").strip()[-2000:]

    async def send(self, command: str, argument: str) -> None:
        """Puts a control command into the journal; its answer comes as an event.

        Raises OctotuiError. A durable write takes milliseconds: it is done in a thread.
        """
        check_command(command, argument)
        await asyncio.to_thread(_send, self.run, command, argument)

    def close(self) -> None:
        self._journal.close()


def _send(run: RunDirectory, command: str, argument: str) -> None:
    journal = Journal(run.journal, run.run_id)
    try:
        journal.command(command, argument, getpass.getuser())
    finally:
        journal.close()
