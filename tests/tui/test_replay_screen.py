"""A run played again on the screen: every part follows one clock, and nothing can be steered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from octotui.tui.app import Cockpit
from octotui.tui.commands import COMMANDS
from octotui.tui.keymap import Settings
from octotui.tui.replay import ReplayStore
from octotui.tui.screens.base import Line
from octotui.tui.screens.help import HelpScreen
from octotui.tui.widgets.log_view import LogView
from octotui.tui.widgets.replay_bar import ReplayBar
from tests.cockpit_support import Make, Recorded, is_end


@asynccontextmanager
async def cockpit(
    run: Recorded, size: tuple[int, int] = (120, 40), *, replayed: bool = True
) -> AsyncIterator[tuple[Cockpit, Pilot[Any]]]:
    app = Cockpit(run.run, replayed=replayed, now=run.now, environment={})
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        if replayed:
            to_start(app)
        yield app, pilot


def replay(app: Cockpit) -> ReplayStore:
    assert isinstance(app.store, ReplayStore)
    return app.store


def to_start(app: Cockpit) -> None:
    """At the beginning of the run, and no time goes by but by keys."""
    clock = replay(app).clock
    clock.pause()
    clock.seek(clock.begin)
    app.tick()


async def until_replayed(app: Cockpit, pilot: Pilot[Any]) -> None:
    """A run is read in a thread: waits for it, at most some seconds."""
    for _ in range(1000):
        if isinstance(app.store, ReplayStore):
            break
        await pilot.pause(0.02)
    to_start(app)
    await pilot.pause()


def place(app: Cockpit) -> str:
    return str(getattr(app.screen, "PLACE", type(app.screen).__name__))


def said(app: Cockpit, which: str) -> str:
    return str(app.screen.query_one(which, Line).render())


async def test_every_part_follows_the_one_clock(recorded: Make) -> None:
    async with cockpit(recorded("joining-failed", is_end, alive=False)) as (app, pilot):
        log = app.screen.query_one(LogView)
        await pilot.press("$")
        assert "FAILED OCTO2" in said(app, "#waiting")
        lines = len(log.buffer)
        assert lines > 50
        await pilot.press("0")
        assert replay(app).now() == replay(app).recording.begin
        assert (said(app, "#waiting"), len(log.buffer)) == ("", 0)
        assert "preflight" in said(app, "#run-head")
        await pilot.press("$")
        assert len(log.buffer) == lines


async def test_the_head_tells_the_replayed_time(recorded: Make) -> None:
    async with cockpit(recorded("succeeded", alive=False)) as (app, _):
        head = said(app, "#run-head")
        assert head.startswith(" ↺ replay ")
        assert not {"live", "gone", "ended"} & set(head.split())


async def test_keys_move_the_clock(recorded: Make) -> None:
    async with cockpit(recorded("succeeded", alive=False)) as (app, pilot):
        clock = replay(app).clock
        await pilot.press(">", ".", ".", "comma")
        assert clock.time() == clock.begin + 65
        await pilot.press("<", "comma")
        assert clock.time() == clock.begin
        speed = clock.speed
        await pilot.press("+", "=", "-")
        assert clock.speed == speed * 2
        await pilot.press("space")
        assert clock.playing
        await pilot.press("space", ";")
        assert not clock.playing
        assert replay(app).skips


async def test_events_that_matter_are_gone_to(recorded: Make) -> None:
    async with cockpit(recorded("joining-failed", is_end, alive=False)) as (app, pilot):
        await pilot.press("$", "[")
        bar = str(app.screen.query_one(ReplayBar).render_line(0).text)
        assert "✗" in bar
        before = replay(app).now()
        await pilot.press("[", "]")
        assert replay(app).now() == before


@pytest.mark.parametrize("name", ["joining-failed", "succeeded", "held", "rolled-back"])
async def test_nothing_is_steered_or_offered_at_any_moment(recorded: Make, name: str) -> None:
    run = recorded(name)
    async with cockpit(run) as (app, pilot):
        for moment in replay(app).recording.moments:
            replay(app).clock.seek(moment.at)
            app.tick()
            await pilot.pause()
            assert place(app) == "run", "nothing asks for a decision"
            situation = app.screen.situation  # type: ignore[attr-defined]
            steers = [c.id for c in COMMANDS if c.control or c.of == "live"]
            assert {"run.resume", "stream", "run.rollback"} < set(steers)
            assert [c for c in COMMANDS if c.id in steers and c.possible(situation)] == []
            for key in "ARDrLhBXudSP":
                app.simulate_key(key)
            await pilot.pause()
            assert place(app) == "run"
        assert run.commands() == []
        app.simulate_key("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen), "keys do arrive that way"


async def test_help_tells_of_the_replay_s_keys_and_of_none_that_steer(recorded: Make) -> None:
    async with cockpit(recorded("succeeded", alive=False)) as (app, pilot):
        await pilot.press("?")
        assert isinstance(app.screen, HelpScreen)
        words = str(app.screen.query_one("#help Static").render())
        assert "play or pause" in words
        assert "roll back" not in words


async def test_a_live_run_has_no_keys_of_a_replay(recorded: Make) -> None:
    async with cockpit(recorded("succeeded", is_end), replayed=False) as (app, pilot):
        await pilot.press("v", "space", "]", "?")
        words = str(app.screen.query_one("#help Static").render())
        assert "play or pause" not in words
        assert not app.screen_stack[-2].query(ReplayBar)


async def test_a_node_is_looked_at_in_the_replay(recorded: Make) -> None:
    async with cockpit(recorded("succeeded", alive=False)) as (app, pilot):
        await pilot.press("$", "enter")
        assert place(app) == "node"
        log = app.screen.query_one(LogView)
        at_end = len(log.buffer)
        assert at_end > 0
        entered = [m.at for m in replay(app).recording.moments if m.text == "starting"]
        replay(app).clock.seek(entered[0])
        app.tick()
        assert 0 < len(log.buffer) < at_end
        assert {log.buffer.line(n).node for n in range(len(log.buffer))} == {"OCTO1"}
        assert app.screen.query(ReplayBar)
        await pilot.press("escape")
        assert place(app) == "run"


async def test_the_report_leads_to_the_replay_and_back(recorded: Make) -> None:
    run = recorded("succeeded", alive=False)
    async with cockpit(run, replayed=False) as (app, pilot):
        own = app.store
        assert place(app) == "report"
        await pilot.press("P")
        await until_replayed(app, pilot)
        assert place(app) == "run"
        await pilot.press("0", "question_mark")
        app.tick()
        await pilot.press("escape", "escape")
        assert place(app) == "report"
        assert app.store is own
        app.tick()
        await pilot.pause()
        assert place(app) == "report"


async def test_the_screen_of_a_run_below_is_left_as_it_was(recorded: Make) -> None:
    run = recorded("succeeded", alive=False)
    async with cockpit(run, replayed=False) as (app, pilot):
        await pilot.press("v")
        shown = len(app.screen.query_one(LogView).buffer)
        await pilot.press("P")
        await until_replayed(app, pilot)
        await pilot.press("0", "?")
        app.tick()
        await pilot.press("escape", "escape")
        assert len(app.screen.query_one(LogView).buffer) == shown
        assert "ended" in said(app, "#run-head")


async def test_leaving_a_replay_tells_of_the_run_below_it(recorded: Make) -> None:
    run = recorded("succeeded", alive=False)
    async with cockpit(run, replayed=False) as (app, pilot):
        await pilot.press("P")
        await until_replayed(app, pilot)
        await pilot.press("q")
    left = app.return_value
    assert left is not None
    assert (left.how, left.run) == ("leave", run.run)


async def test_leaving_a_replay_alone_tells_nothing(recorded: Make) -> None:
    async with cockpit(recorded("succeeded", alive=False)) as (app, pilot):
        await pilot.press("escape")
        assert [n.message for n in app._notifications] == ["q leaves the replay."]
        await pilot.press("q")
    left = app.return_value
    assert left is not None
    assert (left.how, left.run) == ("leave", None)


async def test_home_leads_to_a_replay_and_back(recorded: Make) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    app = Cockpit(None, environment={}, now=run.now, settings=Settings(glance=False))
    async with app.run_test(size=(120, 40)) as pilot:
        app.replay(run.run)
        await until_replayed(app, pilot)
        await pilot.press("$")
        assert place(app) == "run"
        assert app.now() == run.at
        await pilot.press("escape")
        assert (place(app), app.store) == ("home", None)
        assert app.now() == run.now()


async def test_a_run_that_wrote_nothing_is_no_replay(recorded: Make) -> None:
    run = recorded("succeeded", lambda event: True)
    other = Cockpit(None, environment={}, now=run.now, settings=Settings(glance=False))
    async with other.run_test() as pilot:
        other.replay(run.run)
        for _ in range(1000):
            if other._notifications:
                break
            await pilot.pause(0.02)
        assert "has written nothing yet" in next(iter(other._notifications)).message
