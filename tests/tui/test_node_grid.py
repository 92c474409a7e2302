"""Many nodes: in how many columns they lie, how one moves in them, and what is repainted."""

from __future__ import annotations

import pytest
from textual.geometry import Size
from textual.widget import Widget

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.remembered import Layout
from octotui.tui.widgets.node_cells import LEAST_DOING, Columns, Widths, cell, lay_out, widths_of
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.node_rows import rows
from octotui.tui.widgets.paint import widths
from octotui.tui.widgets.step_matrix import StepMatrix
from octotui.view import NodeView, RunView
from tests.cockpit_support import Make
from tests.tui.test_widgets import Bench, repainted, screen_text
from tests.tui.test_widgets import recorded as recorded_view

SCROLLBAR = 2


def cluster(count: int, name: str = "OCTO") -> RunView:
    """Nodes at rest, in the order of their numbers."""
    view = RunView()
    for number in range(1, count + 1):
        view.nodes[f"{name}{number}"] = NodeView(f"{name}{number}", "2025.2.13071")
    return view


def laid_out(nodes: int, width: int, height: int, name: int = 6) -> Columns:
    return lay_out(nodes, Widths(name, 12, 13), Size(width, height), SCROLLBAR)


@pytest.mark.parametrize(
    ("nodes", "width", "height", "columns", "rows"),
    [
        (0, 76, 5, 1, 1),
        (1, 76, 5, 1, 1),
        (7, 76, 7, 1, 7),  # all in one column: each says as much as it can
        (7, 76, 5, 2, 4),
        (7, 30, 5, 1, 5),
        (40, 76, 5, 2, 5),
        (40, 76, 17, 2, 17),
        (40, 156, 37, 2, 20),
        (40, 156, 10, 4, 10),
        (200, 156, 37, 5, 37),
        (200, 196, 47, 5, 40),
        (200, 20, 3, 1, 3),
    ],
)
def test_as_many_columns_as_are_needed_and_can_be_read(
    nodes: int, width: int, height: int, columns: int, rows: int
) -> None:
    found = laid_out(nodes, width, height)
    assert (found.count, found.rows) == (columns, rows)
    assert found.hidden == max(0, nodes - columns * rows)
    assert found.left(found.count - 1) + found.width <= width - SCROLLBAR * bool(found.hidden)


def test_long_names_leave_fewer_columns() -> None:
    assert [laid_out(200, 156, 37, name).count for name in (3, 6, 12, 24)] == [5, 5, 4, 3]


@pytest.mark.parametrize("name", ["a", "OCTO", "a-node-with-a-name-of-30-cells-", "日本語ノード"])
@pytest.mark.parametrize("width", [20, 29, 36, 50, 77, 154])
def test_a_cell_has_the_width_it_was_given(name: str, width: int) -> None:
    found = rows(cluster(12, name), 0.0)
    needed = widths_of(found)
    assert {widths(cell(row, needed, width)) for row in found} == {max(width, needed.name + 4)}


def test_a_narrow_cell_says_what_is_done_before_all_else() -> None:
    view, at = recorded_view("succeeded", "migrating.database@OCTO1")
    row = rows(view, at + 61)[0]
    needed = widths_of([row])

    def said(width: int) -> str:
        return "".join(text for text, _ in cell(row, needed, width))

    whole = f"▶ OCTO1 {row.version} {row.doing} 1:01 of ~2:00 stopped"
    assert " ".join(said(140).split()) == whole
    assert row.version not in said(59)
    assert row.time not in said(36)
    assert " 1:01 " in said(36)
    assert "stopped" not in said(36)
    least = said(2 + needed.name + 1 + LEAST_DOING + 1)
    assert "stopped" not in least
    assert row.doing[: LEAST_DOING - 1] in least


async def test_columns_run_down_one_after_the_other() -> None:
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(7), 0.0)
        await pilot.pause()
        text = [line.split("⋅ ")[1:] for line in screen_text(grid)]
        names = [[part.split()[0] for part in line] for line in text]
        assert names == [["OCTO1", "OCTO5"], ["OCTO2", "OCTO6"], ["OCTO3", "OCTO7"], ["OCTO4"], []]


async def test_keys_go_down_the_columns_and_from_one_to_the_other() -> None:
    grid = NodeGrid()
    async with (app := Bench(grid)).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(7), 0.0)
        await pilot.pause()
        for key, node in {
            "left": "OCTO1",
            "right": "OCTO5",
            "down": "OCTO6",
            "up": "OCTO5",
            "k": "OCTO4",
        }.items():
            await pilot.press(key)
            assert grid.node == node, key
        await pilot.press("right")
        assert grid.node == "OCTO7", "the next column is shorter"
        for key, node in {
            "right": "OCTO7",
            "end": "OCTO7",
            "left": "OCTO3",
            "home": "OCTO1",
        }.items():
            await pilot.press(key)
            assert grid.node == node, key
        await pilot.press("right", "enter")
        assert app.told == ["OCTO5"]


async def test_in_one_column_left_and_right_do_nothing() -> None:
    grid = NodeGrid()
    async with (app := Bench(grid)).run_test(size=(76, 7)) as pilot:
        grid.show(cluster(7), 0.0)
        await pilot.press("down", "right", "left", "left")
        assert grid.node == "OCTO2"
        assert "nodes.left" not in {b.binding.id for b in app.screen.active_bindings.values()}


async def test_every_node_can_be_reached_where_not_all_are_in_sight() -> None:
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(40), 0.0)
        await pilot.pause()
        for number in range(1, 41):
            assert grid.node == f"OCTO{number}"
            assert f" {grid.node} " in " ".join(screen_text(grid))
            await pilot.press("down")
        await pilot.press("home", "pagedown")
        assert grid.node == "OCTO10", "a page is both columns"
        await pilot.press("home")
        for node in ("OCTO6", "OCTO11", "OCTO16"):
            await pilot.press("right")
            assert grid.node == node
            assert screen_text(grid)[0].split("⋅ ")[2].startswith(node), "it stays in its line"
        await pilot.press("end", "left", "left")
        assert grid.node == "OCTO30"
        assert " OCTO30 " in screen_text(grid)[4]


@pytest.mark.parametrize(
    ("at", "node"), [((1, 0), "OCTO1"), ((36, 2), "OCTO3"), ((40, 0), "OCTO5"), ((75, 2), "OCTO7")]
)
async def test_a_click_opens_the_node_that_is_there(at: tuple[int, int], node: str) -> None:
    grid = NodeGrid()
    async with (app := Bench(grid)).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(7), 0.0)
        await pilot.pause()
        await pilot.click(grid, offset=at)
        await pilot.pause()
        assert (grid.node, app.told) == (node, [node])


@pytest.mark.parametrize("at", [(40, 3), (10, 4)])
async def test_a_click_beside_the_nodes_opens_none(at: tuple[int, int]) -> None:
    grid = NodeGrid()
    async with (app := Bench(grid)).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(7), 0.0)
        await pilot.pause()
        await pilot.click(grid, offset=at)
        await pilot.pause()
        assert app.told == []


async def test_a_click_opens_the_right_node_after_scrolling() -> None:
    grid = NodeGrid()
    async with (app := Bench(grid)).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(40), 0.0)
        await pilot.press("end")
        await pilot.click(grid, offset=(40, 1))
        await pilot.pause()
        assert app.told == ["OCTO37"]


async def test_only_the_cells_that_changed_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    view, grid = cluster(40), NodeGrid()
    async with Bench(grid).run_test(size=(156, 20)) as pilot:
        grid.show(view, 0.0)
        await pilot.pause()
        found = repainted(grid, monkeypatch)
        grid.show(view, 1.0)
        assert found == []
        view.nodes["OCTO3"].serving = view.nodes["OCTO23"].serving = True
        view.nodes["OCTO24"].serving = False
        grid.show(view, 2.0)
        assert [(region.y, region.height) for region in found] == [(2, 1), (3, 1)]
        assert found[0].width > 78, "one region a line, over both columns"
        assert found[1].width < 10
        text = screen_text(grid)
        for region, line in zip(found, text[2:4], strict=True):
            assert "s" in line[region.x : region.right]


async def test_the_cursor_alone_is_painted_when_it_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(156, 20)) as pilot:
        grid.show(cluster(40), 0.0)
        await pilot.pause()
        found = repainted(grid, monkeypatch)
        await pilot.press("right")
        assert [region.x for region in found] == [0, 78]
        assert sum(region.area for region in found) <= 156


async def test_a_filter_fills_the_columns_anew() -> None:
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(76, 6)) as pilot:
        grid.show(cluster(40), 0.0)
        await pilot.press("end")
        grid.narrow("octo3")
        await pilot.pause()
        shown = " ".join(screen_text(grid))
        assert [f"OCTO{n} " in shown for n in (3, 30, 34, 39, 1)] == [True] * 4 + [False]
        assert grid.node in shown
        grid.narrow("nowhere")
        assert screen_text(grid)[0] == "no node has this in its line"
        grid.narrow("")
        await pilot.pause()
        assert "OCTO1 " in screen_text(grid)[0]


@pytest.mark.parametrize("key", ["home", "end"])
async def test_with_less_room_the_cursor_stays_in_sight(key: str) -> None:
    """Keys act on the node under it."""
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(156, 20)) as pilot:
        grid.show(cluster(40), 0.0)
        await pilot.press(key)
        await pilot.resize_terminal(40, 6)
        await pilot.pause()
        assert f" {grid.node} " in " ".join(screen_text(grid))


async def test_there_is_nothing_aside_of_the_last_column_where_it_is_scrolled() -> None:
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(76, 5)) as pilot:
        grid.show(cluster(12), 0.0)
        await pilot.press("end", "home", "end", *["up"] * 3)
        assert (grid._top, grid.node) == (2, "OCTO9")
        await pilot.press("right")
        assert grid.node == "OCTO9"


def shown_tables(app: Cockpit) -> list[type[Widget]]:
    found = [app.screen.query_one(kind) for kind in (NodeGrid, StepMatrix)]
    return [type(table) for table in found if table.display]


@pytest.mark.parametrize("table", [NodeGrid, StepMatrix])
async def test_a_zoomed_table_has_the_width_of_both(recorded: Make, table: type[Widget]) -> None:
    run = recorded("many")
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings(), layout=Layout())
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        app.screen.query_one(table).focus()
        await pilot.pause()
        await pilot.press("z")
        await pilot.pause()
        assert shown_tables(app) == [table]
        assert app.screen.query_one(table).size.width == 156
        assert isinstance(app.focused, table)
        await pilot.press("t")
        await pilot.pause()
        assert shown_tables(app) == [StepMatrix if table is NodeGrid else NodeGrid]
        await pilot.press("z")
        await pilot.pause()
        assert shown_tables(app) == [NodeGrid, StepMatrix]


async def test_forty_nodes_are_all_in_sight_when_they_are_zoomed(recorded: Make) -> None:
    run = recorded("many")
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings(), layout=Layout())
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("z")
        await pilot.pause()
        app.tick()
        grid = app.screen.query_one(NodeGrid)
        text = " ".join(screen_text(grid))
        assert all(f" {name} " in text for name in app.store.view.nodes)  # type: ignore[union-attr]
        await pilot.press("right")
        chosen = grid.node
        await pilot.press("enter")
        await pilot.pause()
        assert getattr(app.screen, "node", "") == chosen
