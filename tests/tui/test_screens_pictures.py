"""Pictures of the screens: a recorded run, a fixed clock, the smallest size and a big one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from tests.cockpit_support import Recorded, begins, enters, is_end

SIZES = ((80, 24), (160, 50))

#: Name: journal, where it is cut off, whether its runner lives, keys pressed then.
PICTURES: dict[str, tuple[str, Callable[[dict[str, Any]], bool], bool, tuple[str, ...]]] = {
    "preflight": ("succeeded", lambda e: e["kind"] == "finding", True, ()),
    "approval": ("succeeded", enters("staging"), True, ()),
    "run": ("joining-failed", begins("joining.start@OCTO3"), True, ()),
    "node": ("joining-failed", begins("joining.start@OCTO3"), True, ("enter",)),
    "decision": ("joining-failed", is_end, True, ()),
    "leave-out": ("joining-failed", is_end, True, ("L",)),
    "gone": ("succeeded", begins("migrating.database@OCTO1"), False, ()),
    "help": ("joining-failed", begins("joining.start@OCTO3"), True, ("question_mark",)),
    "report": ("succeeded", lambda event: False, True, ()),
}


@pytest.fixture(autouse=True)
def _fixed_place_and_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", "/state")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("octotui.tui.screens.help.settings_file", lambda: "cockpit.toml")
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", PICTURES)
def test_picture(
    snap_compare: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: tuple[int, int],
) -> None:
    journal, until, alive, keys = PICTURES[name]
    monkeypatch.chdir(tmp_path)  # paths that are shown are the same everywhere
    run = Recorded(Path(), journal, until, alive=alive)

    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, Cockpit)
        app.tick()
        await pilot.pause()
        await pilot.press(*keys)
        app.tick()
        await pilot.pause()

    environment = {"TERM": "xterm-256color"}
    app = Cockpit(run.run, now=run.now, environment=environment, settings=Settings())
    try:
        assert snap_compare(app, terminal_size=size, run_before=look)
    finally:
        run.close()
