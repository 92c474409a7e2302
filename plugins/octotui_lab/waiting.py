"""Waiting for the world, for everything that runs on an event loop.

One timer for the whole world, set to the moment at which the next event is due: whoever waits is
woken at that moment, not by polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from octotui_lab.clock import Timer
from octotui_lab.schedule import Schedule


@dataclass(eq=False)
class _Wait:
    condition: Callable[[], bool]
    woken: asyncio.Future[bool]


class Waiter:
    """Lets coroutines wait for conditions on the world. One for each world and event loop."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._waits: list[_Wait] = []
        self._timer: Timer | None = None
        self._timer_due: float | None = None
        schedule.listen(self._look)

    async def until(self, condition: Callable[[], bool], limit: float | None = None) -> bool:
        """Waits until ``condition`` holds; False when ``limit`` (epoch seconds) came first.

        ``condition`` only looks at the world and is asked after every change.
        """
        self._schedule.advance()
        if condition():
            return True
        if limit is not None and limit <= self._schedule.now:
            return False
        wait = _Wait(condition, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        timer = None
        if limit is not None:
            timer = self._schedule.clock.call_at(limit, lambda: self._give_up(wait))
        self._set_timer()
        try:
            return await wait.woken
        finally:
            self._waits.remove(wait)
            if timer is not None:
                timer.cancel()

    async def stream(
        self, lines: Sequence[str], ended: Callable[[], bool], output: Callable[[str], None]
    ) -> None:
        """Hands on what is added to ``lines`` as it comes, until ``ended`` says it was all."""
        given = 0
        at_end = False

        def news() -> bool:
            return len(lines) > given or ended()

        while not at_end:
            await self.until(news)
            # Whether this is the end must be known before the lines are taken.
            at_end = ended()
            for line in lines[given:]:
                output(line)
                given += 1

    async def seconds(self, lab_seconds: float) -> None:
        """Waits that many lab seconds (before division by speed)."""
        clock = self._schedule.clock
        await self.until(lambda: False, clock.now() + lab_seconds / clock.speed)

    def _give_up(self, wait: _Wait) -> None:
        # What was due before the limit happened before it, however late we are.
        self._schedule.advance()
        if not wait.woken.done():
            wait.woken.set_result(wait.condition())

    def _look(self) -> None:
        for wait in self._waits:
            if not wait.woken.done() and wait.condition():
                wait.woken.set_result(True)
        self._set_timer()

    def _set_timer(self) -> None:
        due = self._schedule.next_due() if self._waits else None
        if due == self._timer_due:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_due = due
        if due is not None:
            self._timer = self._schedule.clock.call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._timer_due = None
        self._schedule.advance()
        self._set_timer()
