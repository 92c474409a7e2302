"""What goes wrong or changes while somebody looks: it is said, and the screen goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.tui.app import Cockpit, replay_of
from octotui.tui.home_list import HomeList
from octotui.tui.keymap import Settings
from octotui.tui.replay import ReplayStore
from octotui.tui.screens.confirm import Confirm
from octotui.tui.screens.help import HelpScreen
from octotui.tui.screens.home import HomeScreen
from octotui.tui.store import Store
from tests.cockpit_support import Make, Recorded, enters, is_end, until


@pytest.fixture(autouse=True)
def _no_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octotui.profile.find.profile_folders", lambda: (tmp_path / "profiles",))


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Something that takes a while goes on when this is set."""
    event = threading.Event()
    yield event
    event.set()


def cockpit(run: Recorded | None = None, **options: Any) -> Cockpit:
    directory = run.run if run else None
    return Cockpit(directory, environment={}, settings=Settings(mouse=False), **options)


def said(app: Cockpit) -> list[str]:
    return [f"{each.title} {each.message}" for each in app._notifications]


async def at_home(app: Cockpit, pilot: Pilot[Any], runs: int = 1) -> None:
    screen = app.screen
    assert isinstance(screen, HomeScreen)
    await until(pilot, lambda: len(screen._runs) == runs)
    screen.query_one("#runs").focus()
    await pilot.pause()


# --- what cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "misfit"])
async def test_an_event_that_is_damaged_in_mid_run_is_told_once(
    recorded: Make, damage: str
) -> None:
    run = recorded("succeeded", enters("stopping"))
    app = cockpit(run, now=run.now)
    async with app.run_test(size=(100, 30)) as pilot:
        assert app.store is not None
        seen = app.store.view.seq
        run.tell("step.ended", {"step": "of nobody"})
        if damage == "cut":
            run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = ?", (seen + 1,))
        for _ in range(3):
            app.tick()
            await pilot.pause()
        [told] = said(app)
        assert "not of now" in told
        assert "octotui bundle" in told
        assert app.screen.PLACE == "run"  # type: ignore[attr-defined]
    assert app.return_value is None


async def test_a_damaged_run_is_not_opened_and_home_stays(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    app = cockpit()
    async with app.run_test(size=(100, 30)) as pilot:
        await at_home(app, pilot)
        run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = 3")
        await pilot.press("enter")
        await until(pilot, lambda: said(app))
        assert "not opened" in said(app)[0]
        assert isinstance(app.screen, HomeScreen)
        assert app.store is None


async def test_home_counts_the_runs_that_cannot_be_read(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = 3")
    app = cockpit()
    async with app.run_test(size=(100, 30)) as pilot:
        head = app.screen.query_one("#home-head")
        await until(pilot, lambda: "1 cannot be read" in str(head.render()))


async def test_a_folder_of_runs_that_cannot_be_read_is_told_once(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[float] = []

    def refused(self: HomeList, now: float) -> None:
        reads.append(now)
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(HomeList, "read", refused)
    app = cockpit()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = app.screen
        assert isinstance(screen, HomeScreen)
        for count in (1, 2):
            screen._due = 0.0
            await until(pilot, lambda count=count: len(reads) >= count and not screen._reading)
        assert len(said(app)) == 1
        assert "Permission denied" in said(app)[0]


# --- what takes a while ---------------------------------------------------------------------------


async def test_a_run_is_folded_beside_the_loop(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    class Noted(Store):
        def __init__(self, *arguments: Any) -> None:
            threads.append(threading.current_thread())
            super().__init__(*arguments)

    run = recorded("succeeded", enters("stopping"))
    monkeypatch.setattr("octotui.tui.app.Store", Noted)
    app = cockpit(now=run.now)
    async with app.run_test(size=(100, 30)) as pilot:
        app.open_run(run.run)
        await until(pilot, lambda: isinstance(app.store, Noted))
        await pilot.pause()
        assert threads[0] is not threading.current_thread()


async def test_a_run_that_was_read_when_one_is_elsewhere_is_not_put_on_top(
    recorded: Make, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    class Slow(Store):
        def __init__(self, *arguments: Any) -> None:
            gate.wait(10)
            super().__init__(*arguments)

    run = recorded("succeeded", enters("stopping"))
    monkeypatch.setattr("octotui.tui.app.Store", Slow)
    app = cockpit(now=run.now)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_home(app, pilot)
        await pilot.press("enter", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        gate.set()
        await until(pilot, lambda: said(app))
        assert "elsewhere" in said(app)[0]
        assert isinstance(app.screen, HelpScreen)
        assert app.store is None


async def test_a_replay_that_was_read_when_one_is_elsewhere_is_not_put_on_top(
    recorded: Make, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    def slow(*arguments: Any) -> ReplayStore:
        gate.wait(10)
        return replay_of(*arguments)

    run = recorded("succeeded", enters("stopping"))
    monkeypatch.setattr("octotui.tui.app.replay_of", slow)
    app = cockpit(now=run.now)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_home(app, pilot)
        await pilot.press("P", "enter")
        await until(pilot, lambda: isinstance(app.store, Store))
        below = app.screen
        gate.set()
        await until(pilot, lambda: said(app))
        assert "replay was not opened" in said(app)[0]
        assert app.screen is below
        assert isinstance(app.store, Store)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


@pytest.mark.parametrize("keys", [("enter", "enter"), ("enter", "o")])
async def test_a_key_that_is_pressed_twice_begins_one_run(
    recorded: Make,
    monkeypatch: pytest.MonkeyPatch,
    gate: threading.Event,
    tmp_path: Path,
    keys: tuple[str, ...],
) -> None:
    begun: list[Path] = []

    def slow(profile: Path) -> RunDirectory:
        begun.append(profile)
        gate.wait(10)
        raise OctotuiError("the profile has faults")

    (tmp_path / "profiles").mkdir()
    profile = tmp_path / "profiles" / "prod-eu.toml"
    profile.write_text("")
    monkeypatch.setattr("octotui.tui.app.begin", slow)
    app = cockpit()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = app.screen
        assert isinstance(screen, HomeScreen)
        await until(pilot, lambda: screen._profiles)
        screen.query_one("#profiles").focus()
        await pilot.press(*keys)
        gate.set()
        await until(pilot, lambda: said(app))
        assert "not begun" in said(app)[0]
        await pilot.press("enter")
        await until(pilot, lambda: len(begun) == 2)
    assert begun == [profile, profile], "the second one once the first was over"


async def test_a_run_is_checked_again_once(
    recorded: Make, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    begun: list[RunDirectory] = []

    def slow(run: RunDirectory) -> RunDirectory:
        begun.append(run)
        gate.wait(10)
        return run

    monkeypatch.setattr("octotui.tui.screens.report.begin_again", slow)
    run = recorded("refused", alive=False)
    app = cockpit(run, now=run.now)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("c", "c")
        gate.set()
        store = app.store
        await until(pilot, lambda: app.store is not store)
    assert begun == [run.run]


async def test_a_command_takes_up_the_run_it_was_for_whatever_is_open_by_then(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_up: list[RunDirectory] = []
    may_go_on = asyncio.Event()

    async def slow(self: Store, command: str, argument: str) -> bool:
        await may_go_on.wait()
        return False

    run = recorded("joining-failed", is_end, alive=False)
    monkeypatch.setattr(Store, "send", slow)
    monkeypatch.setattr("octotui.tui.app.take_up", lambda run, seen: taken_up.append(run))
    app = cockpit(now=run.now)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_home(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.store, Store))
        app.tick()
        await pilot.pause()
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press(*"OCTO2", "enter")
        while not isinstance(app.screen, HomeScreen):
            app.back()
            await pilot.pause()
        assert app.store is None
        may_go_on.set()
        await until(pilot, lambda: taken_up)
    assert taken_up == [run.run]
