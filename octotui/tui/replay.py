"""A run played again: a clock that can be moved, and what had been written by its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.tui.log_tail import LogLine
from octotui.tui.recording import Recording
from octotui.tui.situation import Situation
from octotui.view import RunView

#: Steps of seeking, seconds of the run.
SMALL_STEP: Final = 5.0
LARGE_STEP: Final = 60.0

FASTEST: Final = 128

#: So many lines come at once at most, which takes milliseconds: the loop is never held up.
LINES: Final = 10_000

#: A run is played in about so many seconds unless told otherwise.
_PLAYED_IN: Final = 120.0

#: Where quiet stretches are skipped: longer ones than this, up to so long before what comes next.
QUIET: Final = 5.0
_BEFORE: Final = 1.0


class ReplayClock:
    """A time between two others, epoch seconds, that runs at a speed, stands, or is moved.

    ``monotonic`` is the clock of the one who looks.
    """

    def __init__(
        self, begin: float, end: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.begin = begin
        self.end = end
        self.speed = 1
        self._monotonic = monotonic
        self._at = begin
        self._since: float | None = None

    def time(self) -> float:
        if self._since is None:
            return self._at
        return min(self.end, self._at + (self._monotonic() - self._since) * self.speed)

    @property
    def playing(self) -> bool:
        return self._since is not None and self.time() < self.end

    def play(self) -> None:
        """Runs on; from the end, from the beginning again."""
        self._at = self.begin if self.time() >= self.end else self.time()
        self._since = self._monotonic()

    def pause(self) -> None:
        self._at, self._since = self.time(), None

    def seek(self, at: float) -> None:
        """Moves to a time, and goes on as before from there."""
        self._at = min(max(self.begin, at), self.end)
        if self._since is not None:
            self._since = self._monotonic()

    def set_speed(self, speed: int) -> None:
        """So many seconds of the run in one."""
        self.seek(self.time())
        self.speed = min(max(1, speed), FASTEST)


class ReplayStore:
    """A past run as the screens see it: what the store of a run shows, at the clock's time.

    Nothing can be sent. ``skips``: while it plays, stretches in which nothing was written are
    passed over.
    """

    def __init__(
        self,
        run: RunDirectory,
        recording: Recording,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.recording = recording
        self.clock = ReplayClock(recording.begin, recording.end, monotonic)
        self.clock.set_speed(_speed_for(recording.end - recording.begin))
        self.clock.play()
        self.skips = False
        self.alive = True
        self.view = RunView()
        self.line_count = 0
        #: Those before the first that is played: they are not in that count.
        self.lines_left_out = recording.lines_left_out
        self._applied = 0
        self.poll()

    @property
    def situation(self) -> Situation:
        return Situation(self.view, self.alive, replayed=True)

    def now(self) -> float:
        """The time that is played, epoch seconds: everything is as old as it was then."""
        return self.clock.time()

    @property
    def heard(self) -> float:
        return self.now()

    def poll(self) -> bool:
        """Goes to where the clock is. Lines that are too many for once come with the next tick."""
        self._skip()
        at = self.now()
        self._fold(self.recording.events_until(at))
        self.line_count = min(self.recording.lines_until(at), self.line_count + LINES)
        return False  # there is nothing to be read on at once

    def lines_after(self, count: int) -> list[LogLine]:
        """Log lines of all nodes after the first ``count``."""
        return self.recording.lines[count : self.line_count]

    def lines_gone(self, count: int) -> list[LogLine]:
        """Of the first ``count`` log lines those that have not come yet: the clock went back."""
        return self.recording.lines[self.line_count : count]

    def last_words(self) -> str:
        return ""

    async def send(self, command: str, argument: str) -> None:
        """Raises OctotuiError: what is over cannot be steered."""
        raise OctotuiError(f"this is a replay: {command} was not sent")

    # --- moving the clock ----------------------------------------------------------------------

    def move(self, how: str) -> None:
        """Moves the clock in one of the ways that the table of commands names."""
        _MOVES[how](self)
        self.poll()

    def _play_or_pause(self) -> None:
        if self.clock.playing:
            self.clock.pause()
        else:
            self.clock.play()

    def _step(self, seconds: float) -> None:
        self.clock.seek(self.now() + seconds)

    def _previous_moment(self) -> None:
        """Stays there: a clock that runs on would never get past it."""
        self.clock.pause()
        moment = self.recording.moment_before(self.now())
        self.clock.seek(moment.at if moment else self.clock.begin)

    def _next_moment(self) -> None:
        self.clock.pause()
        moment = self.recording.moment_after(self.now())
        self.clock.seek(moment.at if moment else self.clock.end)

    def _toggle_skipping(self) -> None:
        self.skips = not self.skips

    def _skip(self) -> None:
        if self.skips and self.clock.playing:
            at = self.now()
            then = self.recording.next_written(at)
            if then - at > QUIET:
                self.clock.seek(then - _BEFORE)

    def _fold(self, count: int) -> None:
        """The view after that many events; the recording shortens the way there."""
        kept = self.recording.kept_before(count)
        if not kept <= self._applied <= count:
            self.view, self._applied = self.recording.view_after(kept), kept
        for event in self.recording.events[self._applied : count]:
            self.view.apply(event)
        self._applied = count


_MOVES: Final[Mapping[str, Callable[[ReplayStore], None]]] = {
    "play": ReplayStore._play_or_pause,
    "back": lambda store: store._step(-SMALL_STEP),
    "forth": lambda store: store._step(SMALL_STEP),
    "far-back": lambda store: store._step(-LARGE_STEP),
    "far-forth": lambda store: store._step(LARGE_STEP),
    "previous": ReplayStore._previous_moment,
    "next": ReplayStore._next_moment,
    "start": lambda store: store.clock.seek(store.clock.begin),
    "end": lambda store: store.clock.seek(store.clock.end),
    "slower": lambda store: store.clock.set_speed(store.clock.speed // 2),
    "faster": lambda store: store.clock.set_speed(store.clock.speed * 2),
    "skip": ReplayStore._toggle_skipping,
}


def _speed_for(seconds: float) -> int:
    """The power of two with which that many seconds are played in about two minutes."""
    speed = 1
    while speed < FASTEST and seconds / (speed * 2) >= _PLAYED_IN:
        speed *= 2
    return speed
