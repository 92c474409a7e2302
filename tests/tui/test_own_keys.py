"""A person's own keys: what cannot be used is told, and the help lists what holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from octotui.tui.app import Cockpit
from octotui.tui.commands import BY_ID, COMMANDS
from octotui.tui.keymap import Settings, read_settings
from octotui.tui.own_keys import keys_of, part_keys, usable
from octotui.tui.screens.help import HelpScreen
from tests.cockpit_support import Recorded, begins


@pytest.mark.parametrize(
    ("name", "key", "other"),
    [
        ("help", "q", "quit"),
        ("run.rollback", "r", "run.retry"),
        ("run.hold", "p", "plan.open"),
        ("run.hold", "?", "help"),
        ("run.hold", "x,f1", "help"),
        ("run.hold", "j", "log.down"),
        ("run.hold", "e", "log.next-error"),
        ("run.hold", "ctrl+p", "palette"),
    ],
)
def test_a_key_that_is_taken_is_told_and_both_keep_their_own(
    name: str, key: str, other: str
) -> None:
    keys, (fault,) = usable({name: key, "run.retry": "f7"} if other != "run.retry" else {name: key})
    assert name not in keys
    assert f"cannot be {name}: it is {other}" in fault


def test_keys_may_change_places_and_a_key_given_away_is_free() -> None:
    assert usable({"run.hold": "p", "plan.open": "h"}) == ({"run.hold": "p", "plan.open": "h"}, [])
    assert usable({"quit": "Q", "help": "q"})[1] == []
    keys, faults = usable({"run.hold": "p", "plan.open": "q"})
    assert (keys, len(faults)) == ({}, 2), "plan keeps p, so that hold cannot have it"


@pytest.mark.parametrize("key", ["ctrl+", "+", "F5", "hyperspace", "ctrl+hopla", "x,", ","])
def test_what_is_no_key_is_told(key: str) -> None:
    keys, faults = usable({"run.hold": key})
    if key == "+":
        assert (keys, faults) == ({"run.hold": "+"}, [])
    else:
        assert keys == {}
        assert "run.hold keeps h" in faults[0]


@pytest.mark.parametrize(
    "key", ["f5", "ctrl+x", "Z", "§", "less_than_sign", "alt+enter", "space,f6"]
)
def test_what_is_a_key_can_be_used(key: str) -> None:
    assert usable({"run.hold": key}) == ({"run.hold": key}, [])


def test_the_keys_that_commands_come_with_can_be_used() -> None:
    for command in COMMANDS:
        assert usable({command.id: command.keys}) == ({command.id: command.keys}, [])


def test_keys_that_are_needed_everywhere_are_never_a_part_s() -> None:
    for name in ("run.hold", "run.log", "quit", "help", "decision.open"):
        others = {part: keys for part, keys in part_keys() if keys & keys_of(BY_ID[name].keys)}
        assert not others, name


def test_an_unknown_theme_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cockpit.toml"
    path.write_text('theme = "nordic"\n[keys]\n"help" = "q"\n')
    settings = read_settings(path)
    assert (settings.theme, settings.keys, len(settings.faults)) == ("", {}, 2)
    assert "no theme 'nordic'" in " ".join(settings.faults)


@pytest.mark.parametrize("width", [80, 160])
async def test_the_help_lists_own_keys_and_wraps_under_its_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", begins("migrating.database@OCTO1"))
    settings = Settings(keys={"quit": "Q", "run.hold": "f6", "run.retry": "x"})
    app = Cockpit(run.run, now=run.now, environment={}, settings=settings)
    try:
        async with app.run_test(size=(width, 40)) as pilot:
            await pilot.press("question_mark")
            await pilot.pause()
            assert isinstance(app.screen, HelpScreen)
            text = app.screen.query_one(Static)
            lines = str(text.render()).splitlines()
            assert all(len(line) <= text.size.width for line in lines if "cockpit.toml" not in line)
            keys = {line[11:28].strip(): line[:11].strip() for line in lines}
            assert keys["leave"] == "Q"
            assert keys["hold"] == "f6"
            assert keys["retry"] == "x", "also what cannot be done now"
            assert all(line[:28] == " " * 28 for line in lines if line.startswith("    "))
    finally:
        run.close()
