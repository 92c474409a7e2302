"""Pictures of every screen in every state: recorded runs, a fixed clock, a fixed place.

Drawn anew, once they were looked at, by
``pytest tests/tui/test_screens_pictures.py -n 2 --snapshot-update``; ``scenes.py`` says what each
shows. Left out: each question for each command
(``consequences.py`` is text, and tested as such), a plan that was refused (it has no screen: the
report tells it), and colours for every scene, for they change no letter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.home_scenes import home, settle
from tests.tui.scenes import COLOURS, SCENES, SMALL, WIDE, Scene

PICTURES = [(name, size) for name, scene in SCENES.items() for size in scene.sizes]


@pytest.fixture(autouse=True)
def _fixed_place_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", "/state")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    monkeypatch.setattr("octotui.tui.screens.help.settings_file", lambda: "cockpit.toml")
    monkeypatch.chdir(tmp_path)  # paths that are shown are the same everywhere
    yield
    monkeypatch.undo()
    time.tzset()


def is_as_drawn(snap_compare: Any, scene: Scene, size: tuple[int, int]) -> bool:
    run = scene.record(Path())

    async def look(pilot: Pilot[Any]) -> None:
        await scene.play(pilot, run)

    try:
        return bool(snap_compare(scene.cockpit(run), terminal_size=size, run_before=look))
    finally:
        run.close()


@pytest.mark.parametrize(
    ("name", "size"), PICTURES, ids=[f"{name}-{size[0]}x{size[1]}" for name, size in PICTURES]
)
def test_picture(snap_compare: Any, name: str, size: tuple[int, int]) -> None:
    assert is_as_drawn(snap_compare, SCENES[name], size)


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("name", ["plan-warnings", "run-joining", "decision-failed-node",
                                  "report-left-out"])  # fmt: skip
def test_picture_in_other_colours(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, name: str, colours: str
) -> None:
    """The same words and glyphs; what differs is how they are painted."""
    scene = SCENES[name].in_colours(colours)
    if "NO_COLOR" in scene.environment:
        monkeypatch.setenv("NO_COLOR", "1")  # Textual looks for itself
    assert is_as_drawn(snap_compare, scene, (80, 24))


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "160x50"])
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "full"])
def test_picture_of_home(snap_compare: Any, size: tuple[int, int], empty: bool) -> None:
    with home(empty=empty) as app:
        assert snap_compare(app, terminal_size=size, run_before=settle)


@pytest.mark.parametrize("name", ["plan-warnings", "run-joining", "report-left-out"])
async def test_no_color_paints_in_the_terminal_s_own_two_colours(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Textual decides by the theme it has when the application is made, which is none of ours."""
    monkeypatch.setenv("NO_COLOR", "1")
    scene = SCENES[name].in_colours("no-color")
    run = scene.record(Path())
    app = scene.cockpit(run)
    async with app.run_test(size=SMALL) as pilot:
        await scene.play(pilot, run)
        segments = [s for strip in app.screen._compositor.render_strips() for s in strip]
    run.close()
    painted = {c for s in segments if s.style for c in (s.style.color, s.style.bgcolor) if c}
    assert {colour.name for colour in painted} <= {"default"}
