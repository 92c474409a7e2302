"""Questions: a yes counts as long as it answers what is still so; nothing that was said is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.run.process import RunnerRefused
from octotui.run.request import RunRequest
from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.processes import take_up
from octotui.tui.screens.confirm import Confirm
from octotui.tui.store import Store
from tests.cockpit_support import Make, Recorded, enters, is_end, sent, until


@pytest.fixture(autouse=True)
def _looks_at_every_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octotui.tui.store.ALIVE_PAUSE", 0.0)


@pytest.fixture
def taken_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RunDirectory]]:
    """The runs that a process was started for."""
    runs: list[RunDirectory] = []
    monkeypatch.setattr("octotui.tui.app.take_up", lambda run, seen: runs.append(run))
    return runs


def cockpit(run: Recorded) -> Cockpit:
    return Cockpit(run.run, now=run.now, environment={}, settings=Settings(mouse=False))


async def tick(app: Cockpit, pilot: Pilot[Any]) -> None:
    app.tick()
    await pilot.pause()


async def asked(app: Cockpit, pilot: Pilot[Any], key: str) -> None:
    """The question that this key puts stands."""
    await tick(app, pilot)
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, Confirm))


def told(app: Cockpit) -> list[str]:
    return [f"{each.title}: {each.message}" for each in app._notifications]


def question(app: Cockpit) -> str:
    assert isinstance(app.screen, Confirm)
    return "\n".join(str(part.render()) for part in app.screen.query("#question Static"))


# --- what is answered is not what was asked any more ----------------------------------------------


async def test_a_run_that_died_while_the_question_stood_is_not_started_by_the_answer(
    recorded: Make, taken_up: list[RunDirectory]
) -> None:
    run = recorded("succeeded", enters("stopping"))
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("h")
        assert isinstance(app.screen, Confirm)
        run.die()
        await tick(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: told(app))
        assert "moved on" in told(app)[-1]
    assert (sent(run), taken_up) == ([], [])


async def test_a_hold_is_not_sent_to_a_run_that_died_while_its_phase_was_chosen(
    recorded: Make, taken_up: list[RunDirectory]
) -> None:
    run = recorded("succeeded", enters("stopping"))
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("H", "down")
        run.die()
        await tick(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: told(app))
    assert (sent(run), taken_up) == ([], [])


async def test_a_run_that_somebody_took_up_meanwhile_is_not_taken_up_twice(
    recorded: Make, taken_up: list[RunDirectory]
) -> None:
    run = recorded("succeeded", enters("stopping"), alive=False)
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await tick(app, pilot)
        await pilot.press("u")
        assert isinstance(app.screen, Confirm)
        run.live()
        await tick(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: told(app))
        assert "moved on" in told(app)[-1]
    assert taken_up == []


def test_a_live_run_is_not_taken_up_and_its_request_stays(recorded: Make) -> None:
    """Between the last look at the run and the answer somebody may have been quicker."""
    run = recorded("succeeded", enters("stopping"))
    request = RunRequest("prod.toml", attended=False)
    request.write(run.journal)
    with pytest.raises(RunnerRefused, match="is alive"):
        take_up(run.run, run.journal.newest())
    assert RunRequest.read(run.journal) == request


async def test_a_clock_that_is_set_back_keeps_no_run_alive(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    clock = [run.now()]
    store = Store(run.run, lambda: clock[0])
    assert store.alive
    run.die()
    clock[0] -= 3600
    store.poll()
    assert not store.alive


# --- what was said is not lost --------------------------------------------------------------------


async def test_a_command_that_waits_is_named_by_whatever_takes_the_run_up(recorded: Make) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    run.journal.command("leave-out", "OCTO2", "ann")
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await tick(app, pilot)
        for key in ("u", "L"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert "Before that comes" in question(app)
            assert "leave-out OCTO2 (ann, " in question(app)
            await pilot.press("escape")


async def test_of_a_run_that_lives_nothing_comes_first(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    run.journal.command("leave-out", "OCTO2", "ann")
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await asked(app, pilot, "r")
        assert "Before" not in question(app)


async def test_a_command_whose_run_cannot_be_taken_up_is_said_to_be_noted(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(run: RunDirectory, seen: int) -> None:
        raise OctotuiError("the profile is gone")

    monkeypatch.setattr("octotui.tui.app.take_up", refused)
    run = recorded("joining-failed", is_end, alive=False)
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await asked(app, pilot, "L")
        await pilot.press(*"OCTO2", "enter")
        await until(pilot, lambda: told(app))
        assert told(app) == [
            "leave out OCTO2: not done: the profile is gone. The command is noted: it comes first "
            "when somebody takes the run up."
        ]
    assert sent(run) == [("leave-out", "OCTO2")]


async def test_what_is_noted_already_is_not_sent_again(
    recorded: Make, taken_up: list[RunDirectory]
) -> None:
    """As after a take-up that failed: the same choice is what leads on."""
    run = recorded("joining-failed", is_end, alive=False)
    run.journal.command("leave-out", "OCTO2", "ann")
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await asked(app, pilot, "L")
        await pilot.press(*"OCTO2", "enter")
        await until(pilot, lambda: taken_up)
        assert told(app) == []
    assert (sent(run), taken_up) == ([("leave-out", "OCTO2")], [run.run])


async def test_a_command_that_came_while_the_question_stood_makes_it_another_one(
    recorded: Make, taken_up: list[RunDirectory]
) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await asked(app, pilot, "u")
        run.journal.command("leave-out", "OCTO2", "ann")
        await pilot.press("y")
        await until(pilot, lambda: told(app))
        assert "moved on" in told(app)[-1]
    assert taken_up == []


async def test_a_run_that_died_unseen_gets_the_command_noted_which_is_said(
    recorded: Make, taken_up: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octotui.tui.store.ALIVE_PAUSE", 3600.0)
    run = recorded("succeeded", enters("stopping"))
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("h")
        run.die()
        await pilot.press("y")
        await until(pilot, lambda: told(app))
        assert "process is gone. The command is noted" in told(app)[-1]
    assert (sent(run), taken_up) == ([("hold", "stopping")], [])


async def test_a_run_that_somebody_took_up_unseen_takes_the_command_itself(
    recorded: Make, taken_up: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await tick(app, pilot)
        monkeypatch.setattr("octotui.tui.store.ALIVE_PAUSE", 3600.0)
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        run.live()
        await pilot.press(*"OCTO2", "enter")
        await until(pilot, lambda: sent(run))
        await pilot.pause()
        assert told(app) == []
    assert (sent(run), taken_up) == ([("leave-out", "OCTO2")], [])


async def test_a_run_is_taken_up_once_however_often_that_is_asked_for(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = threading.Event(), []

    def slow(run: RunDirectory, seen: int) -> None:
        begun.append(run)
        gate.wait(10)

    monkeypatch.setattr("octotui.tui.app.take_up", slow)
    run = recorded("joining-failed", is_end, alive=False)
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await tick(app, pilot)
        for _ in range(2):
            await pilot.press("u")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press("y")
            await pilot.pause()
        gate.set()
    assert begun == [run.run]


async def test_what_a_dead_run_would_refuse_is_not_noted(
    recorded: Make, taken_up: list[RunDirectory]
) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    store = Store(run.run, run.now)
    with pytest.raises(OctotuiError, match="not possible"):
        await store.send("abort", "")
    assert sent(run) == []


async def test_a_second_command_does_not_cut_off_the_first(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, arrived = asyncio.Event(), []

    async def slow(self: Store, command: str, argument: str) -> bool:
        await gate.wait()
        arrived.append(command)
        return True

    monkeypatch.setattr(Store, "send", slow)
    run = recorded("succeeded", enters("stopping"))
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("h", "y", "H", "down", "enter")
        gate.set()
        await until(pilot, lambda: len(arrived) == 2)
    assert arrived == ["hold", "hold"]


async def test_the_choice_that_was_selected_is_asked_about_wherever_the_cursor_is(
    recorded: Make,
) -> None:
    run = recorded("joining-failed", is_end)
    where = {"step": "joining.serving@OCTO3", "node": "OCTO3", "phase": "joining"}
    run.tell("step.ended", where | {"outcome": "failed", "error": {"what": "no answer"}})
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        await tick(app, pilot)
        choices = app.screen.query_one("#choices", OptionList)
        index = choices.get_option_index("run.leave-out@OCTO3")
        option = choices.get_option_at_index(index)
        choices.post_message(OptionList.OptionSelected(choices, option, index))
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert question(app).startswith("OCTO3 stays")


# --- what cannot be told --------------------------------------------------------------------------


async def test_a_lock_that_cannot_be_looked_at_is_told_once_and_again_when_it_can(
    recorded: Make,
) -> None:
    run = recorded("succeeded", enters("stopping"))
    app = cockpit(run)
    async with app.run_test(size=(100, 30)) as pilot:
        run.die()
        lock = run.run.path / "lock"
        lock.unlink(missing_ok=True)
        lock.mkdir()
        for _ in range(3):
            await tick(app, pilot)
        [said] = told(app)
        assert "alive cannot be told" in said
        store = app.store
        assert isinstance(store, Store)
        assert store.alive, "as it was"
        lock.rmdir()
        await tick(app, pilot)
        assert (store.fault, store.alive) == (None, False)
