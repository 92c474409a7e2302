"""Telling plugins what happens, and asking them for vetoes, without harm to a run."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from octotui.api import Event, hookimpl
from octotui.plugins import Plugins

EVENT = Event(1, 0.0, "run", "run", "state", {})


class _Object(EntryPoint):
    """An entry point to an object that is at hand."""

    def load(self) -> Any:
        return OBJECTS[self.value]


OBJECTS: dict[str, Any] = {}


def load(**hooks: Callable[..., Any] | list[tuple[str, Callable[..., Any]]]) -> Plugins:
    """Plugins by name, each a function for one hook: ``NAME__HOOK`` or several as a list."""
    entry_points = []
    for name, implementations in hooks.items():
        plugin: Any = types.SimpleNamespace(octotui_api=1)
        if callable(implementations):
            implementations = [("octotui_changed", implementations)]
        for hook, function in implementations:
            setattr(plugin, hook, hookimpl(function))
        OBJECTS[name] = plugin
        entry_points.append(_Object(name, name, "octotui"))
    plugins = Plugins.load(entry_points)
    assert plugins.problems == ()
    return plugins


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Time limits pass at once; what they were is noted."""
    limits: list[float | None] = []
    wait = asyncio.wait

    async def hurry(tasks: Any, *, timeout: float | None = None) -> Any:
        limits.append(timeout)
        return await wait(tasks, timeout=0.001)

    monkeypatch.setattr("octotui.plugins.calls.asyncio.wait", hurry)
    return limits


async def test_every_plugin_is_told_whether_it_awaits_or_not() -> None:
    told: list[str] = []

    def plain(event: Event) -> None:
        told.append(f"plain {event.kind}")

    async def awaiting(event: Event) -> None:
        await asyncio.sleep(0)
        told.append(f"awaiting {event.kind}")

    def careless() -> None:
        told.append("careless")

    plugins = load(a=plain, b=awaiting, c=careless, d=[("octotui_step", plain)])
    assert await plugins.emit("octotui_changed", EVENT) == ()
    assert told == ["plain state", "awaiting state", "careless"]


async def test_a_failure_is_attributed_and_the_others_are_told() -> None:
    told: list[int] = []

    def fails(event: Event) -> None:
        raise ValueError("no such room")

    plugins = load(bad=fails, good=lambda event: told.append(event.seq))
    [problem] = await plugins.emit("octotui_changed", EVENT)
    assert str(problem) == "bad (? ?): octotui_changed failed: ValueError: no such room"
    assert told == [1]
    assert plugins.problems == (problem,)


async def test_after_three_failures_a_plugin_is_muted_and_it_is_said_once() -> None:
    calls: list[str] = []

    def fails(event: Event) -> None:
        calls.append("told")
        raise ValueError

    def objects(phase: str) -> str:
        return "not on Fridays"

    plugins = load(
        bad=[("octotui_changed", fails), ("octotui_step", fails), ("octotui_before_phase", objects)]
    )
    told: list[str] = []
    for hook in ("octotui_changed", "octotui_step", "octotui_changed", "octotui_step"):
        told += [problem.problem for problem in await plugins.emit(hook, EVENT)]
    assert len(calls) == 3
    assert [text for text in told if "is not told anything more" in text] == told[-1:]
    assert await plugins.vetoes("migrating") == ("bad (? ?): not on Fridays",)


async def test_who_takes_too_long_is_not_waited_for(hurried: list[float | None]) -> None:
    ended: list[str] = []

    async def hangs(event: Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def clings(event: Event) -> None:
        while not ended:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(hurried) > 5:
                    ended.append("gave up")

    plugins = load(a=hangs)
    [problem] = await plugins.emit("octotui_changed", EVENT)
    assert "octotui_changed failed: TimeoutError: no answer within 5 s" in problem.problem
    assert hurried[0] == 5.0
    assert ended == ["cancelled"]
    ended.clear()
    plugins = load(a=clings)
    [problem] = await plugins.emit("octotui_changed", EVENT)
    assert "no answer within 5 s" in problem.problem
    hurried += [None] * 9  # lets go of it, so that the loop can end
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_who_blocks_is_told_off(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    offset = [0.0]
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + offset[0])

    def blocks(event: Event) -> None:
        offset[0] += 7.0

    [problem] = await load(a=blocks).emit("octotui_changed", EVENT)
    assert "it blocked for 7.0 s" in problem.problem


async def test_a_plugin_that_cancels_itself_does_not_cancel_the_run() -> None:
    async def cancels(event: Event) -> None:
        raise asyncio.CancelledError

    [problem] = await load(a=cancels).emit("octotui_changed", EVENT)
    assert "it was cancelled by itself" in problem.problem


async def test_a_run_that_is_cancelled_cancels_its_plugins() -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def waits(event: Event) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.ensure_future(load(a=waits).emit("octotui_changed", EVENT))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended.wait()


class TestVetoes:
    async def test_nobody_objects(self) -> None:
        async def agrees(phase: str) -> None: ...

        plugins = load(
            a=[("octotui_before_phase", agrees)], b=[("octotui_before_phase", lambda phase: None)]
        )
        assert await plugins.vetoes("draining") == ()

    async def test_each_reason_names_its_plugin(self) -> None:
        async def objects(phase: str) -> str:
            return f"no {phase} today"

        def fails(phase: str) -> str:
            raise KeyError("calendar")

        plugins = load(
            a=[("octotui_before_phase", objects)],
            b=[("octotui_before_phase", fails)],
            c=[("octotui_before_phase", lambda phase: 3)],
            d=[("octotui_before_phase", lambda phase: "")],
        )
        assert await plugins.vetoes("draining") == (
            "a (? ?): no draining today",
            "b (? ?) could not be asked: KeyError: 'calendar'",
            "c (? ?): 3",
            "d (? ?): ''",
        )

    async def test_no_answer_in_time_is_a_veto(self, hurried: list[float | None]) -> None:
        async def hangs(phase: str) -> None:
            await asyncio.Event().wait()

        plugins = load(a=[("octotui_before_phase", hangs)])
        [veto] = await plugins.vetoes("draining")
        assert veto == "a (? ?) could not be asked: TimeoutError: no answer within 5 s"

    async def test_it_is_never_muted(self) -> None:
        def fails(phase: str) -> str:
            raise KeyError("calendar")

        plugins = load(a=[("octotui_before_phase", fails)])
        assert [len(await plugins.vetoes("draining")) for _ in range(5)] == [1] * 5
