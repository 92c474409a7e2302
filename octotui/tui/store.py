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

#: Events that a poll takes in at most: between polls the loop serves keys and the terminal.
EVENTS = 100

#: So many log lines are kept for screens that are opened later.
KEPT_LINES = 100_000


class Store:
    """One run. ``poll`` takes in what is new; everything else only looks at it.

    Made, it knows the whole journal; of the logs their beginning.
    """

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
        #: Whether the view is of now: it is not where the journal has more than a poll takes in.
        self.up_to_date = False
        while not self.up_to_date:
            self.poll()
        self.first_seq = self.view.seq

    @property
    def situation(self) -> Situation:
        return Situation(self.view, self.alive)

    def poll(self) -> bool:
        """Takes in what is new, a bounded part of it; True where there is more.

        Lines come once the journal has been read to its end. Microseconds while there is nothing.
        """
        if self.now() - self._asked >= ALIVE_PAUSE:
            self._look_for_life()
        self.up_to_date = self._read_events() < EVENTS
        if not self.up_to_date:
            return True
        lines = self._tail.poll()
        self._lines.extend(lines)
        self.line_count += len(lines)
        return self._tail.behind

    def _read_events(self) -> int:
        """Folds the next events into the view; how many there were."""
        # A list: the journal is let go of before anything is done with them.
        events = list(islice(self._journal.events(self.view.seq), EVENTS))
        for event in events:
            self.view.apply(event)
        if any(event.kind in ("run.started", "run.resumed") for event in events):
            self._look_for_life()
        if events:
            self.heard = events[-1].at
        return len(events)

    def _look_for_life(self) -> None:
        self._asked = self.now()
        self.alive = is_alive(self.run)

    def lines_after(self, count: int) -> list[LogLine]:
        """Log lines of all nodes after the first ``count``, as far as they are kept."""
        new = min(self.line_count - count, len(self._lines))
        # From the end: a deque is walked from its ends, and there may be a hundred thousand.
        return list(islice(reversed(self._lines), max(0, new)))[::-1]

    def lines_gone(self, count: int) -> list[LogLine]:
        """Of the first ``count`` log lines those that are gone again: only a replay goes back."""
        return []

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
