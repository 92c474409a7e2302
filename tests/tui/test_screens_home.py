"""Home: profiles and runs of this machine, and what opening one of them does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widget import Widget

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.tui import glance
from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings, read_settings
from octotui.tui.screens.base import CockpitScreen
from octotui.tui.screens.home import HomeScreen
from tests.cockpit_support import Recorded, enters, until

PROFILE = """
[octopus]
url = "https://octopus.example.com"

[[nodes]]
name = "OCTO1"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one profile, and a state folder with no run yet."""
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("octotui.profile.find.profile_folders", lambda: (Path("profiles"),))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "prod-eu.toml").write_text(PROFILE)
    return tmp_path


class Asked:
    """In place of the child: what it tells each time, and how often it was started."""

    def __init__(self) -> None:
        self.times = 0
        self.tells: Callable[[], list[dict[str, Any]]] = list
        self.fails = ""

    async def answers(self) -> AsyncGenerator[str, None]:
        self.times += 1
        for told in self.tells():
            yield json.dumps(told) + "\n"
        if self.fails:
            raise OctotuiError(self.fails)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Nobody is asked in earnest."""
    asked = Asked()
    monkeypatch.setattr(glance, "answers", asked.answers)
    return asked


def told(name: str = "prod-eu", health: str = "online", version: str = "", **more: Any) -> Any:
    path = f"profiles/{name}.toml"
    return {
        "profile": path,
        "health": health,
        "version": version,
        "reason": "",
        "nodes": [],
        **more,
    }


def detail(app: Cockpit) -> str:
    return str(app.screen.query_one("#profile-detail").render())


def cockpit(*, asks: bool = True, **options: Any) -> Cockpit:
    return Cockpit(environment={}, settings=Settings(glance=asks), **options)


def again(app: Cockpit) -> None:
    """The next time everybody is asked has come."""
    screen = app.screen
    assert isinstance(screen, HomeScreen)
    screen._ask_due = screen._due = 0.0


async def ticked(app: Cockpit) -> None:
    """A tick has passed, and all that it began has ended: what did not happen will not."""
    app.tick()
    await app.workers.wait_for_complete()


def shown(app: Cockpit, which: str) -> list[str]:
    options: Any = app.screen.query_one(which)
    return [str(option.prompt) for option in options.options]


async def test_profiles_and_runs_are_listed_and_a_run_is_attached_to(home: Path) -> None:
    run = Recorded(home / "state", "succeeded", enters("stopping"))
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: shown(app, "#runs"))
            assert "prod-eu" in shown(app, "#profiles")[0]
            assert "draining" in shown(app, "#runs")[0]
            assert " steps" in shown(app, "#runs")[0]
            await pilot.press("enter")
            await until(pilot, lambda: app.store is not None)
            assert app.store is not None
            assert app.store.run == run.run
            await pilot.press("escape")
            assert isinstance(app.screen, HomeScreen)
            assert app.store is None
        assert run.commands() == []
    finally:
        run.close()


async def test_tab_goes_between_the_lists(home: Path) -> None:
    app = cockpit()
    async with app.run_test() as pilot:
        await until(pilot, lambda: shown(app, "#profiles"))
        await pilot.press("tab")
        assert app.screen.query_one("#runs").has_focus
        await pilot.press("tab")
        assert app.screen.query_one("#profiles").has_focus


async def test_a_profile_with_faults_is_refused_with_their_places(home: Path) -> None:
    app = cockpit()
    async with app.run_test() as pilot:
        await until(pilot, lambda: shown(app, "#profiles"))
        await pilot.press("o")
        await until(pilot, lambda: list(app._notifications))
        assert "prod-eu.toml:" in next(iter(app._notifications)).message
        assert isinstance(app.screen, HomeScreen)
    assert list(RunDirectory.all()) == []


async def test_going_home_between_two_turns_of_a_run_s_screen(home: Path) -> None:
    run = Recorded(home / "state", "succeeded", enters("stopping"))
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: shown(app, "#runs"))
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, HomeScreen))
            screen = app.screen
            assert isinstance(screen, CockpitScreen)
            turn = asyncio.create_task(screen.tick_in_turns(app.now()))
            await asyncio.sleep(0)
            app.back()
            await turn
    finally:
        run.close()


async def test_leaving_home_leaves(home: Path) -> None:
    app = cockpit()
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.return_value is not None
    assert app.return_value.run is None


async def test_version_and_health_are_shown_and_age(home: Path, asked: Asked) -> None:
    node = {"name": "OCTO1", "health": "draining", "version": "2025.1.2", "reason": "no new tasks"}
    asked.tells = lambda: [told(version="2025.1.2", health="partly", reason="0 of 1", nodes=[node])]
    clock = [1000.0]
    app = cockpit(now=lambda: clock[0])
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: asked.times and "2025.1.2" in shown(app, "#profiles")[0])
        assert "! online in part" in shown(app, "#profiles")[0]
        assert "~ OCTO1 2025.1.2 draining" in detail(app)
        assert "asked just now" in detail(app)
        assert "! online in part: 1" in str(app.screen.query_one("#pulse").render())
        clock[0] += 12
        await until(pilot, lambda: "asked 10 s ago" in detail(app))
        assert asked.times == 1, "it is not asked again before it is due"


async def test_an_answer_that_failed_keeps_the_last_version_as_an_old_one(
    home: Path, asked: Asked
) -> None:
    node = {"name": "OCTO1", "health": "online", "version": "2025.1.2", "reason": ""}
    asked.tells = lambda: [told(version="2025.1.2", nodes=[node])]
    clock = [1000.0]
    app = cockpit(now=lambda: clock[0])
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: asked.times and "● online" in shown(app, "#profiles")[0])
        clock[0] += 30
        gone = {**node, "health": "unreachable", "version": "", "reason": "connection refused"}
        asked.tells = lambda: [
            told(health="unreachable", reason="connection refused", nodes=[gone])
        ]
        again(app)
        await until(pilot, lambda: "not reachable" in shown(app, "#profiles")[0])
        assert "was 2025.1.2" in shown(app, "#profiles")[0]
        assert "was 2025.1.2, told 30 s ago" in detail(app)
        assert "connection refused" in detail(app)
        assert "OCTO1 was 2025.1.2" in detail(app)
        asked.fails = "it did not end"
        again(app)
        await until(pilot, lambda: "Not asked again: it did not end" in detail(app))
        asked.fails = ""
        asked.tells = lambda: [told(version="2025.2.1")]
        again(app)
        await until(pilot, lambda: "2025.2.1" in shown(app, "#profiles")[0])
        assert "was" not in shown(app, "#profiles")[0]
        assert "Not asked" not in detail(app)


async def test_nobody_is_asked_where_the_settings_say_so(home: Path, asked: Asked) -> None:
    app = cockpit(asks=False)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "settings say not to ask" in " ".join(detail(app).split()))
        again(app)
        await ticked(app)
        assert "not asked yet" in shown(app, "#profiles")[0]
    assert asked.times == 0


@pytest.mark.parametrize(
    ("text", "asks", "faults"),
    [("", True, 0), ("glance = false", False, 0), ("glance = 'no'", False, 1)],
)
def test_the_setting(tmp_path: Path, text: str, asks: bool, faults: int) -> None:
    path = tmp_path / "cockpit.toml"
    path.write_text(text)
    settings = read_settings(path)
    assert (settings.glance, len(settings.faults)) == (asks, faults)


async def test_nobody_is_asked_while_another_screen_is_on_top(home: Path, asked: Asked) -> None:
    run = Recorded(home / "state", "succeeded", enters("stopping"))
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: asked.times == 1)
            screen = app.screen
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is not screen)
            assert isinstance(screen, HomeScreen)
            screen._ask_due = 0.0
            await ticked(app)
            assert asked.times == 1
            await pilot.press("escape")
            await until(pilot, lambda: asked.times == 2)
    finally:
        run.close()


async def test_enter_on_a_profile_attaches_to_the_run_of_its_cluster(home: Path) -> None:
    run = Recorded(home / "state", "succeeded", enters("stopping"))
    cluster = run.journal.events().__iter__().__next__().data["cluster"]
    profile = home / "profiles" / "same-cluster.toml"
    profile.write_text(PROFILE.replace("https://octopus.example.com", cluster))
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, lambda: shown(app, "#runs"))
            app.screen.query_one("#profiles").focus()
            await pilot.press("down")
            await pilot.pause()
            assert "enter attaches to it" in " ".join(detail(app).split())
            await pilot.press("enter")
            await until(pilot, lambda: app.store is not None)
            assert app.store is not None
            assert app.store.run == run.run
    finally:
        run.close()


async def test_an_ended_run_opens_its_report_and_can_be_replayed(home: Path) -> None:
    run = Recorded(home / "state", "succeeded", alive=False)
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, lambda: shown(app, "#profiles"))
            await pilot.press("P")
            assert "no run" in next(iter(app._notifications)).message
            await pilot.press("tab")
            assert "✓ succeeded" in shown(app, "#runs")[0]
            assert "outage" in shown(app, "#runs")[0]
            await pilot.press("P")
            await until(pilot, lambda: not isinstance(app.screen, HomeScreen))
            assert app.screen.situation.replayed  # type: ignore[attr-defined]
            await pilot.press("escape")
            assert isinstance(app.screen, HomeScreen)
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, HomeScreen))
            assert app.screen.PLACE == "report"  # type: ignore[attr-defined]
    finally:
        run.close()


async def test_the_cursor_stays_on_its_profile_and_the_filter_narrows_both_lists(
    home: Path,
) -> None:
    run = Recorded(home / "state", "succeeded", alive=False)
    (home / "profiles" / "stage.toml").write_text(PROFILE)
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, lambda: len(shown(app, "#profiles")) == 2)
            await pilot.press("down")
            assert detail(app).startswith("stage")
            (home / "profiles" / "a-new-one.toml").write_text(PROFILE)
            again(app)
            await until(pilot, lambda: len(shown(app, "#profiles")) == 3)
            assert detail(app).startswith("stage")

            await pilot.press("slash", *"OD-EU.toml", "enter")
            await until(pilot, lambda: len(shown(app, "#profiles")) == 1)
            assert detail(app).startswith("prod-eu")
            assert shown(app, "#runs") == ["Nothing with 'OD-EU.toml'. / changes that."]
            await pilot.press("slash", "ctrl+u", "enter")
            await until(pilot, lambda: len(shown(app, "#profiles")) == 3)
            assert "succeeded" in shown(app, "#runs")[0]
            assert detail(app).startswith("prod-eu")
    finally:
        run.close()


async def test_what_did_not_change_is_not_painted_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Recorded(home / "state", "succeeded", alive=False)
    app = cockpit(now=run.now)
    try:
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, lambda: shown(app, "#runs"))
            await pilot.press("slash", "[", "enter")
            await until(pilot, lambda: "[" in str(app.screen.query_one("#runs-pane").border_title))
            await pilot.pause()
            painted: list[Widget] = []
            monkeypatch.setattr(
                Widget, "refresh", lambda self, *args, **options: painted.append(self)
            )
            screen = app.screen
            assert isinstance(screen, HomeScreen)
            screen._fill()
            assert painted == []
    finally:
        run.close()


async def test_what_waits_for_a_person_comes_before_what_runs(home: Path) -> None:
    held = Recorded(home / "state", "held", enters("migrating"))
    app = cockpit(now=held.now)
    newer = home / "state" / "runs" / "20991009-085320-0002"
    newer.mkdir()
    (newer / "run.db").write_bytes(held.run.journal.read_bytes())
    try:
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, lambda: shown(app, "#runs"))
            assert shown(app, "#runs")[0].startswith("! held before migrating")
            assert "1 waiting for a person" in str(app.screen.query_one("#home-head").render())
    finally:
        held.close()


async def test_without_a_profile_it_says_what_to_do(home: Path, asked: Asked) -> None:
    (home / "profiles" / "prod-eu.toml").unlink()
    app = cockpit()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "octotui demo" in detail(app))
        assert shown(app, "#runs")[0].startswith("No run yet.")
        await pilot.press("enter")
        assert isinstance(app.screen, HomeScreen)
    assert asked.times == 0
