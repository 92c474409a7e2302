"""The one reader behind all screens: a run's journal and logs, folded into what is shown."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.run.journal import Command, JournalError
from octotui.run.process import LifeUnknown, is_alive, last_words
from octotui.run.reading import ReadingJournal
from octotui.tui.log_tail import KEPT_LINES, LogLine, LogTail
from octotui.tui.situation import Situation
from octotui.view import RunView, take

#: Whether the runner lives is looked at this often, seconds: the look opens its lock.
ALIVE_PAUSE = 1.0

#: Events that a poll takes in at most: between polls the loop serves keys and the terminal.
EVENTS = 100


class Store:
    """One run. ``poll`` takes in what is new; everything else only looks at it.

    Made, it knows the whole journal; of the logs their beginning. A long journal takes a while:
    not for an event loop. Raises OctotuiError where it cannot be read; what becomes unreadable
    later is said in ``fault``, and the view stays as it was. ``now`` is the time of day that is
    shown, epoch seconds.
    """

    def __init__(self, run: RunDirectory, now: Callable[[], float] = time.time) -> None:
        self.run = run
        self.view = RunView()
        self.alive = True
        self.now = now
        self.heard = now()
        self._asked = float("-inf")
        self._journal = ReadingJournal(run.journal, run.run_id)
        self._tail = LogTail(run.logs)
        self._lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self.line_count = 0
        #: Log lines that are not in that count: only a replay leaves any out.
        self.lines_left_out = 0
        #: Whether the view is of now: it is not where the journal has more than a poll takes in.
        self.up_to_date = False
        self._journal_fault: OctotuiError | None = None
        self._life_fault: OctotuiError | None = None
        while not self.up_to_date:
            self.poll()
            if self._journal_fault is not None:
                raise self._journal_fault
        self.first_seq = self.view.seq

    @property
    def fault(self) -> OctotuiError | None:
        """Why what is shown is not of now; None where it is."""
        return self._journal_fault or self._life_fault

    @property
    def situation(self) -> Situation:
        return Situation(self.view, self.alive)

    def poll(self) -> bool:
        """Takes in what is new, a bounded part of it; True where there is more.

        Lines come once the journal has been read to its end. Less than a millisecond while there
        is nothing.
        """
        # Not by the time of day: that may be set back, and the dead would count as alive.
        if time.monotonic() - self._asked >= ALIVE_PAUSE:
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
        if self._journal_fault is not None and not isinstance(self._journal_fault, JournalError):
            return 0  # an event was not understood: what comes after it would be guesswork
        events = []
        try:
            for event in self._journal.next_events(self.view.seq, EVENTS):
                take(self.view, event)
                events.append(event)
        except OctotuiError as error:
            self._journal_fault = error
            return 0
        self._journal_fault = None
        if any(event.kind in ("run.started", "run.resumed") for event in events):
            self._look_for_life()
        if events:
            self.heard = events[-1].at
        return len(events)

    def _look_for_life(self) -> None:
        self._asked = time.monotonic()
        try:
            self.alive = is_alive(self.run)
        except LifeUnknown as error:  # as it was, and it is said
            self._life_fault = error
        else:
            self._life_fault = None

    def lines_after(self, count: int) -> list[LogLine]:
        """Log lines of all nodes after the first ``count``, as far as they are kept."""
        new = min(self.line_count - count, len(self._lines))
        # From the end: a deque is walked from its ends, and there may be tens of thousands.
        return list(islice(reversed(self._lines), max(0, new)))[::-1]

    def lines_gone(self, count: int) -> list[LogLine]:
        """Of the first ``count`` log lines those that are gone again: only a replay goes back."""
        return []

    def last_words(self) -> str:
        """What a runner that died said at last."""
        return last_words(self.run)

    async def send(self, command: str, argument: str) -> bool:
        """Puts a control command into the journal; its answer comes as an event.

        False: nobody is there to take it now. Raises OctotuiError. A durable write takes
        milliseconds: it is done in a thread.
        """
        from octotui.run.commanding import give_command  # most only look

        given = await asyncio.to_thread(give_command, self.run, command, argument)
        return given.taken_soon

    async def waiting_commands(self) -> list[Command]:
        """What people asked for while nobody carried the run out: it comes first, in this order.

        Raises OctotuiError.
        """
        return await asyncio.to_thread(self._journal.pending_commands)
