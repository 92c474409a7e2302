"""Clocks of the lab. Time stamps are epoch seconds; durations are divided by ``speed``."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What the world and its skins ask for the time."""

    #: How many times faster than in a real estate everything that takes time goes by.
    speed: float

    def now(self) -> float:
        """Epoch seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Calls back once ``now()`` has reached ``when``; needs a running event loop."""
        ...


async def sleep_until(clock: Clock, when: float) -> None:
    """Waits until the clock shows ``when`` (epoch seconds)."""
    reached = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not reached.done():
            reached.set_result(None)

    timer = clock.call_at(when, wake)
    try:
        await reached
    finally:
        timer.cancel()


class ScaledClock:
    """The real time, for a lab that people and programs use; only durations shrink."""

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"the speed must be greater than 0, not {speed:g}")
        self.speed = speed
        # Monotonic from here on: a corrected system clock must not stretch or skip lab time.
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._offset

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, when - self.now()), callback)


class _ManualTimer:
    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until ``advance`` moves it, for tests."""

    def __init__(self, start: float = 1_760_000_000.0, speed: float = 1.0) -> None:
        self.speed = speed
        self._now = start
        self._timers: list[tuple[float, int, _ManualTimer]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = _ManualTimer(when, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def next_timer(self) -> float | None:
        """When the earliest waiting call is due; None while nothing waits."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, seconds: float) -> None:
        """Moves the time on and makes all calls that are due on the way, in their order."""
        end = self._now + seconds
        while (when := self.next_timer()) is not None and when <= end:
            timer = heapq.heappop(self._timers)[2]
            self._now = max(self._now, when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = end


class VirtualClock(ManualClock):
    """A manual clock that moves by itself to the next waiting call when nobody has work to do.

    Simulated hours pass in milliseconds. Work outside of the event loop (threads, sockets) is not
    seen: time may pass while it is under way.
    """

    #: Passes of the event loop without a new timer that count as "nobody has work to do".
    IDLE_PASSES = 30

    def __init__(self, start: float = 1_760_000_000.0, speed: float = 1.0) -> None:
        super().__init__(start, speed)
        self._passes = 0
        self._watching = False

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = super().call_at(when, callback)
        self._passes = 0
        if not self._watching:
            self._watching = True
            asyncio.get_running_loop().call_soon(self._watch)
        return timer

    def _watch(self) -> None:
        due = self.next_timer()
        if due is None:
            self._watching = False
            return
        self._passes += 1
        if self._passes >= self.IDLE_PASSES:
            self._passes = 0
            self.advance(max(0.0, due - self.now()))
        asyncio.get_running_loop().call_soon(self._watch)
