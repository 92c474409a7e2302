"""The run's screen comes back as it was left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.remembered import Layout, read_layout, write_layout
from octotui.tui.widgets.log_view import LogView
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.step_matrix import StepMatrix
from tests.cockpit_support import Recorded, begins


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    recorded = Recorded(tmp_path, "many")
    yield recorded
    recorded.close()


def cockpit(run: Recorded, layout: Layout) -> Cockpit:
    return Cockpit(run.run, now=run.now, environment={}, settings=Settings(), layout=layout)


async def test_what_a_person_changes_is_in_the_layout(run: Recorded) -> None:
    layout = Layout()
    app = cockpit(run, layout)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        before = app.screen.query_one(LogView).size.height
        await pilot.press("}", "}", "}")
        await pilot.pause()
        assert app.screen.query_one(LogView).size.height > before
        await pilot.press("s", "l", "w", "l", "t")
        await pilot.pause()
    assert layout == Layout(log_tenths=8, wrapped=True, sort="name", steps=True)


async def test_the_screen_comes_back_as_it_was_left(run: Recorded) -> None:
    app = cockpit(run, Layout(log_tenths=2, wrapped=True, sort="version", steps=True))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        log, grid = app.screen.query_one(LogView), app.screen.query_one(NodeGrid)
        assert log.wrapped
        assert (grid.sort, grid.display) == ("version", False)
        assert isinstance(app.focused, StepMatrix)
        assert log.outer_size.height < app.screen.query_one("#tables").outer_size.height
        await pilot.press("{")
        assert app.layout.log_tenths == 2, "a log of no height at all would be lost"


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    recorded = Recorded(tmp_path, "succeeded", begins("migrating.database@OCTO1"))
    yield recorded
    recorded.close()


async def test_tables_that_are_zoomed_have_the_whole_screen(few: Recorded) -> None:
    app = cockpit(few, Layout())
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        tables, log = app.screen.query_one("#tables"), app.screen.query_one(LogView)
        before = tables.size.height
        await pilot.press("z")
        await pilot.pause()
        assert tables.size.height > 30
        await pilot.press("z")
        await pilot.pause()
        assert (tables.size.height, log.display) == (before, True)


async def test_few_nodes_leave_the_room_to_the_log(few: Recorded) -> None:
    app = cockpit(few, Layout())
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        app.tick()
        await pilot.pause()
        assert app.screen.query_one(NodeGrid).size.height == 3


@pytest.mark.parametrize("key", ["ampersand", "slash", "i", "o", "l"])
async def test_what_is_done_with_the_log_shows_it(few: Recorded, key: str) -> None:
    app = cockpit(few, Layout())
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("z")
        await pilot.pause()
        log = app.screen.query_one(LogView)
        assert not log.display
        await pilot.press(key)
        await pilot.pause()
        assert log.display
        if key == "l":
            assert app.focused is log


@pytest.mark.parametrize("size", [(80, 24), (100, 40), (160, 50)])
async def test_the_focus_is_in_the_table_that_was_left(
    few: Recorded, size: tuple[int, int]
) -> None:
    app = cockpit(few, Layout(steps=True))
    async with app.run_test(size=size) as pilot:
        seen = set()
        for _ in range(5):
            seen.add(type(app.focused))
            await pilot.pause()
        assert isinstance(app.focused, StepMatrix)
        assert LogView not in seen


def test_a_layout_is_kept_in_a_file_and_nonsense_in_it_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "state" / "cockpit.json"
    assert read_layout(path) == Layout()
    written = Layout(7, True, "name", True)
    write_layout(path, written)
    assert read_layout(path) == written
    path.write_text('{"log_tenths": 99, "sort": "colour", "wrapped": 1, "steps": true, "x": 1}')
    assert read_layout(path) == Layout(steps=True)
    for nonsense in ("[]", "{", '"text"'):
        path.write_text(nonsense)
        assert read_layout(path) == Layout()
    write_layout(tmp_path / "state" / "cockpit.json" / "below-a-file", written)
