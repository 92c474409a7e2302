"""How a plan tells what its steps are expected to take, and what that rests on."""

from __future__ import annotations

import json

import pytest

from octotui.api.events import Event
from octotui.cli.lines import PlainLines
from octotui.report.markdown import render
from octotui.tui.app import Cockpit
from octotui.tui.screens.base import Line
from octotui.tui.screens.plan_text import approval_text, expected_text, steps_text
from octotui.tui.situation import Situation
from octotui.tui.words import is_late
from octotui.view import RunView, fold
from tests.cockpit_support import JOURNALS, Make

#: Text columns of the plan at 80 and at 160 columns.
NARROW, WIDE = 36, 76

RANGE = "outage 5:28 (4:28 to 6:28), all nodes up after 8:56"
BASIS = "13 of 15 steps that take time measured in 2 past runs"


def events(name: str) -> list[Event]:
    lines = (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Event(seq, data["at"], "r", data["subject"], data["kind"], data["data"])
        for seq, data in enumerate(map(json.loads, lines), 1)
    ]


def view_of(name: str) -> RunView:
    return fold(events(name))


def row(view: RunView, width: int, title: str) -> str:
    """The line of the first step with that title."""
    lines = steps_text(view, width).plain.splitlines()
    return next(line.rstrip() for line in lines if title in line)


def test_a_measured_step_is_told_from_a_typical_one_where_there_is_little_room() -> None:
    view = view_of("measured")
    assert (
        row(view, NARROW, "upgrade the database") == "  ●  3:06  upgrade the database once  OCTO1"
    )
    assert row(view, NARROW, "wait for running") == "  ○  0:30  wait for running tasks"
    assert row(view, NARROW, "maintenance mode on") == "           maintenance mode on"
    legend = row(view, NARROW, "Steps")
    assert "● measured" in legend
    assert "○ typical" in legend
    assert len(legend) <= NARROW


def test_where_there_is_room_the_last_and_the_worst_time_stand_beside_the_median() -> None:
    view = view_of("measured")
    head, columns = row(view, WIDE, "Steps"), row(view, WIDE, "worst")
    assert "● median of past runs" in head
    line = row(view, WIDE, "upgrade the database")
    assert line == "  ●  3:06    2:06    4:06  upgrade the database once  OCTO1"
    for word, time in (("expected", "3:06"), ("last", "2:06"), ("worst", "4:06")):
        assert columns.index(word) + len(word) == line.index(time) + len(time)
    typical = row(view, WIDE, "wait for running")
    assert typical.index("wait") == line.index("upgrade"), "titles stand below each other"


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_without_measures_no_mark_asks_for_an_explanation(width: int) -> None:
    said = steps_text(view_of("held"), width).plain
    assert "●" not in said
    assert "○" not in said
    assert row(view_of("held"), width, "upgrade the database").startswith("   2:00  upgrade")


def test_what_is_approved_says_what_it_rests_on() -> None:
    view = view_of("measured")
    said = approval_text(Situation(view, alive=True), expected_text(view)).plain
    assert said.startswith(f"Expected: {RANGE}")
    assert f"({BASIS})." in said
    typical = view_of("warned")
    assert expected_text(typical).plain == (
        "Expected: outage 4:18, all nodes up after 6:35, maintenance mode 7:32 "
        "(typical values, not measured here)."
    )


def test_plain_lines_and_the_report_say_it_in_the_same_words() -> None:
    said: list[str] = []
    view = RunView()
    plain = PlainLines(view, said.append)
    for event in events("measured"):
        view.apply(event)
        plain.event(event)
    line = next(line for line in said if "plan: " in line)
    assert f"first node OCTO1; expected {RANGE}" in line
    assert line.endswith(f"({BASIS})")
    report = render(view)
    assert f"What was expected rests on {BASIS}.\n" in report
    assert "| outage (last stop to first node serving) | - | 328.1 |" in report


async def test_the_columns_come_and_go_with_the_terminals_width(recorded: Make) -> None:
    run = recorded("measured")
    app = Cockpit(run.run, now=run.now, environment={})
    async with app.run_test(size=(80, 24)) as pilot:
        for size, columns in (((80, 24), False), ((160, 50), True), ((80, 24), False)):
            await pilot.resize_terminal(*size)
            app.tick()
            await pilot.pause()
            steps = app.screen.query_one("#steps-text", Line)
            assert ("worst" in str(steps.visual)) is columns, size


@pytest.mark.parametrize(
    ("taken", "expected", "late"),
    [(60, 60, False), (74, 60, False), (76, 60, True), (6, 2, False), (9, 2, True)],
)
def test_a_little_over_a_median_is_not_late(taken: int, expected: int, late: bool) -> None:
    assert is_late(taken, expected) is late
