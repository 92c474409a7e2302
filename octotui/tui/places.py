"""Which screen a run needs by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from octotui.tui.situation import Situation

if TYPE_CHECKING:
    from octotui.tui.screens.base import CockpitScreen


def place_of(situation: Situation) -> str:
    """The screen that a run needs by itself: plan, run or report."""
    view = situation.view
    assert view is not None, "there is a run"
    if view.over:
        return "report"
    return "plan" if view.state in ("preflight", "ready") else "run"


def screen_for(place: str) -> CockpitScreen:
    """That screen, new. Of the others nothing is loaded: the first picture waits for that."""
    if place == "plan":
        from octotui.tui.screens.plan import PlanScreen

        return PlanScreen()
    if place == "report":
        from octotui.tui.screens.report import ReportScreen

        return ReportScreen()
    from octotui.tui.screens.run import RunScreen

    return RunScreen()
