"""Clocks and waiting: events are noticed when they are due, in their order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator

import pytest

from octotui_lab.clock import ManualClock, ScaledClock, VirtualClock, sleep_until
from octotui_lab.schedule import Schedule
from octotui_lab.waiting import Waiter


def test_events_happen_in_order_at_their_own_moment() -> None:
    clock = ManualClock(start=0.0, speed=2.0)
    schedule = Schedule(clock)
    seen: list[tuple[str, float]] = []
    schedule.after(40, lambda: seen.append(("late", schedule.now)))
    schedule.after(20, lambda: seen.append(("early", schedule.now)))
    schedule.after(30, lambda: seen.append(("cancelled", schedule.now))).cancel()
    clock.advance(100)
    schedule.advance()
    assert seen == [("early", 10.0), ("late", 20.0)]
    assert schedule.now == 100.0
    assert schedule.next_due() is None


def test_a_stopped_course_ends_where_it_stands() -> None:
    clock = ManualClock(start=0.0)
    schedule = Schedule(clock)
    seen: list[str] = []

    def course() -> Generator[float, None, None]:
        try:
            seen.append("begun")
            yield 10.0
            seen.append("never")
        finally:
            seen.append("closed")

    following = schedule.follow(course())
    following.stop()
    following.stop()
    clock.advance(100)
    schedule.advance()
    assert seen == ["begun", "closed"]


async def test_a_waiter_is_woken_by_the_event_and_not_by_polling() -> None:
    clock = ManualClock(start=0.0)
    schedule = Schedule(clock)
    waiter = Waiter(schedule)
    done: list[int] = []
    schedule.after(7, lambda: done.append(1))
    waiting = asyncio.create_task(waiter.until(lambda: bool(done)))
    await asyncio.sleep(0)
    clock.advance(6.999)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(0.001)
    assert await waiting
    assert clock.next_timer() is None


async def test_a_limit_gives_up_but_not_on_what_was_due_before() -> None:
    clock = ManualClock(start=0.0)
    schedule = Schedule(clock)
    waiter = Waiter(schedule)
    done: list[int] = []
    schedule.after(7, lambda: done.append(1))
    in_time = asyncio.create_task(waiter.until(lambda: bool(done), 8.0))
    too_late = asyncio.create_task(waiter.until(lambda: len(done) > 1, 8.0))
    await asyncio.sleep(0)
    clock.advance(1000)
    assert await in_time
    assert not await too_late
    assert not await waiter.until(lambda: False, clock.now())


async def test_a_virtual_clock_moves_when_nobody_has_work_to_do() -> None:
    clock = VirtualClock(start=0.0)
    order: list[str] = []

    async def sleeper(name: str, until: float) -> None:
        await sleep_until(clock, until)
        order.append(f"{name} at {clock.now():g}")

    before = time.monotonic()
    await asyncio.gather(sleeper("b", 7200), sleeper("a", 3600), sleeper("c", 7200))
    assert order == ["a at 3600", "b at 7200", "c at 7200"]
    assert time.monotonic() - before < 5


async def test_a_scaled_clock_shows_the_wall_clocks_time_and_calls_back() -> None:
    clock = ScaledClock(speed=600)
    assert clock.now() == pytest.approx(time.time(), abs=1)
    due = clock.now() + 0.02
    await sleep_until(clock, due)
    assert clock.now() >= due - 0.001


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_a_speed_that_is_none(speed: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        ScaledClock(speed)
