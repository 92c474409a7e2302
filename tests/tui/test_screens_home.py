"""Home: profiles and runs of this machine, and what opening one of them does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from octotui.run.directory import RunDirectory
from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.screens.home import HomeScreen
from tests.cockpit_support import Recorded, enters

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
    monkeypatch.setattr("octotui.tui.home_list.profile_folders", lambda: (Path("profiles"),))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "prod-eu.toml").write_text(PROFILE)
    return tmp_path


def cockpit(**options: Any) -> Cockpit:
    return Cockpit(environment={}, settings=Settings(), **options)


async def until(pilot: Pilot[Any], condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("it did not come")


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
            assert "live" in shown(app, "#runs")[0]
            await pilot.press("enter")
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


async def test_leaving_home_leaves(home: Path) -> None:
    app = cockpit()
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.return_value is not None
    assert app.return_value.run is None
