"""Nodes by time on the screens: in the report as wide as it is, in the plan where there is room."""

from __future__ import annotations

import pytest

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.screens.base import Line
from octotui.tui.screens.plan import PlanScreen
from octotui.tui.screens.report import ReportScreen
from tests.cockpit_support import Make, Recorded, view_of
from tests.tui.scenes import is_kind


def cockpit(run: Recorded) -> Cockpit:
    return Cockpit(run.run, now=run.now, environment={}, settings=Settings(mouse=False))


def bars(line: Line) -> list[str]:
    """The rows of the nodes."""
    text = str(line.render())
    return [row for row in text.splitlines() if row.startswith("OCTO") and "░" in row]


async def test_the_report_draws_nodes_by_time_anew_for_another_width(recorded: Make) -> None:
    run = recorded("left-out", alive=False)
    app = cockpit(run)
    async with app.run_test(size=(80, 24)) as pilot:
        app.tick()
        await pilot.pause()
        assert isinstance(app.screen, ReportScreen)
        line = app.screen.query_one("#report-text", Line)
        assert [len(row) for row in bars(line)] == [74, 74, 74]
        await pilot.resize_terminal(160, 50)
        app.tick()
        await pilot.pause()
        assert [len(row) for row in bars(line)] == [154, 154, 154]
        assert line.content_size.width >= 154


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 30)])
async def test_the_plan_keeps_its_place_where_there_is_little_room(
    recorded: Make, size: tuple[int, int]
) -> None:
    run = recorded("held", is_kind("command"))
    app = cockpit(run)
    async with app.run_test(size=size) as pilot:
        app.tick()
        await pilot.pause()
        assert isinstance(app.screen, PlanScreen)
        assert not app.screen.query_one("#times").display
        assert bars(app.screen.query_one("#times-text", Line)) == [], "nothing is drawn for nobody"
        assert app.screen.query_one("#findings").size.height > size[1] - 10


@pytest.mark.parametrize("size", [(140, 34), (160, 50), (200, 60)])
async def test_the_plan_foretells_nodes_by_time_below_the_checks(
    recorded: Make, size: tuple[int, int]
) -> None:
    run = recorded("many", is_kind("command"))
    app = cockpit(run)
    async with app.run_test(size=size) as pilot:
        app.tick()
        await pilot.pause()
        times, line = app.screen.query_one("#times"), app.screen.query_one("#times-text", Line)
        assert times.display
        assert [row.split("  ")[0] for row in bars(line)] == ["OCTO1", "OCTO2 and 38 alike"]
        assert max(map(len, bars(line))) <= line.content_size.width
        assert app.screen.query_one("#steps").size.height > times.size.height
        assert isinstance(app.screen, PlanScreen)
        assert "upgrading the database" in app.screen.text(), "what is copied"


async def test_there_is_no_picture_before_there_is_a_plan(recorded: Make) -> None:
    run = recorded("held", is_kind("plan"))
    app = cockpit(run)
    async with app.run_test(size=(160, 50)) as pilot:
        app.tick()
        await pilot.pause()
        assert not app.screen.query_one("#times").display
        assert bars(app.screen.query_one("#times-text", Line)) == [], "nothing is drawn for nobody"
        run.tell("plan", dict(view_of("held").plan))
        app.tick()
        await pilot.pause()
        assert app.screen.query_one("#times").display
