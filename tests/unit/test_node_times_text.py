"""The picture of nodes by time: to scale, readable, no wider than there is room."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from rich.cells import cell_len

from octotui.report.markdown import render
from octotui.report.node_times import NodeTimes, Span, Times, times_of_plan, times_of_run
from octotui.report.node_times_text import MARKS, picture
from octotui.report.time_scale import make_scale
from octotui.upgrade.plan import Plan
from octotui.view import RunView
from tests.cockpit_support import begins, view_of

WIDTHS = [80, 120, 160, 200]


def seconds(at: float) -> str:
    return f"{int(at) // 60}:{int(at) % 60:02}"


def times_of(view: RunView) -> Times:
    times = times_of_run(view)
    assert times is not None
    return times


def drawn(times: Times, width: int, clock: Callable[[float], str] = seconds) -> list[str]:
    return ["".join(text for text, _ in line) for line in picture(times, width, clock)]


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.split(" ")[0] == name).split("  ", 1)[1].lstrip()


def after_hours(name: str = "left-out") -> RunView:
    """A person was waited for three hours longer than when it was recorded."""
    return view_of(name, late=lambda event: event["kind"] == "node.left-out", by=3 * 3600)


def many(count: int) -> Times:
    """Nodes that join one after the other in tens, and one of them fails."""

    def spans(n: int) -> tuple[Span, ...]:
        begin = 100.0 + n // 10 * 60.0 + n % 3  # some are a little later
        last = Span("failed" if n == 17 else "up", begin + 50, 900.0)
        return (
            Span("up", 0, 90),
            Span("down", 90, begin),
            Span("installing", begin, begin + 50),
            last,
        )

    nodes = tuple(NodeTimes(f"N{n + 1}", spans(n)) for n in range(count))
    return Times(0.0, 900.0, (Span("joining", 0, 900),), nodes, (), ())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "times",
    [
        times_of(view_of("succeeded")),
        times_of(view_of("single")),
        times_of(after_hours()),
        times_of(view_of("resumed")),
        times_of(view_of("many")),
        times_of_plan(Plan.from_json(view_of("many").plan)),
        many(50),
    ],
    ids=["three", "one", "hours", "resumed", "many", "plan", "fifty"],
)
def test_lines_fit_and_every_glyph_takes_one_cell(times: Times, width: int) -> None:
    lines = drawn(times, width)
    assert all(cell_len(line) == len(line) <= width for line in lines)
    named = [line for line in lines if line.startswith(tuple(node.name for node in times.nodes))]
    assert {len(line) for line in named} == {width}, "bars take the whole width"
    legend = " ".join(lines)
    for state in {span.state for node in times.nodes for span in node.spans}:
        assert f"{MARKS[state][0]} {MARKS[state][1]}" in legend


def test_bars_phases_and_how_many_serve_stand_below_each_other() -> None:
    view = view_of("left-out")
    lines = drawn(times_of(view), 120)
    first, second, phases = row(lines, "OCTO1"), row(lines, "OCTO2"), row(lines, "phases")
    serving, person = row(lines, "serving"), row(lines, "person")
    assert second.strip("░") == "▓" * second.count("▓") + "█" * second.count("█") + (
        "✗" * second.count("✗") + "─"
    )
    no_return = phases.index("┃migrating")
    assert first[no_return : no_return + 2] == "▓═", "the schema was looked at first"
    assert serving.index("0 outage") == first.index("▓")
    assert serving.index("1") == first.rindex("▓") + 1
    assert phases.index("│waits") == serving.index("2")
    assert person.endswith("ann: leave-out OCTO2 ●")


@pytest.mark.parametrize("width", WIDTHS)
def test_hours_of_waiting_are_cut_out_and_their_length_is_told(width: int) -> None:
    short, long = drawn(times_of(view_of("left-out")), width), drawn(times_of(after_hours()), width)
    assert "┆≈3h03┆" in long[0]
    assert "┆waits┆" in row(long, "phases")
    assert "┆✗✗✗✗✗┆─" in row(long, "OCTO2"), "what it was meanwhile, and what it is then"
    assert row(long, "OCTO1").count("═") >= row(short, "OCTO1").count("═")
    assert not any("┆" in line for line in short), "minutes are drawn to scale"


def test_a_run_held_before_every_phase_can_still_be_read() -> None:
    """More waits than can be labelled: the longest are, and half of the width stays to scale."""
    begin, idle = 0.0, []
    for n in range(9):
        idle.append((begin + 60, begin + 60 + 1000 * (n + 1)))
        begin = idle[-1][1]
    scale = make_scale(0.0, begin + 60, idle, 60)
    assert sum(s.columns for s in scale.stretches) == 60
    assert sum(s.columns for s in scale.stretches if not s.cut) >= 30
    labels = [s.label for s in scale.stretches if s.cut]
    assert labels[-1] == "≈2h30"
    assert labels[0] == ""
    assert len(labels) == len(idle) - 2, "an eighth of the width at most is cuts"


def test_columns_grow_with_time_and_are_to_scale_outside_of_what_is_cut_out() -> None:
    scale = make_scale(0.0, 10_000.0, [(200.0, 9_500.0)], 80)
    columns = [scale.column(at) for at in range(0, 10_001, 10)]
    assert all(0 <= one <= other <= 80 for one, other in pairwise(columns))
    before, cut, after = scale.stretches
    assert (cut.label, cut.columns) == ("≈2h35", 7)
    assert before.columns / after.columns == pytest.approx(200 / 500, abs=0.03)


def test_what_is_short_keeps_a_column() -> None:
    spans = (Span("up", 0, 5000), Span("down", 5000, 5001), Span("up", 5001, 10_000))
    times = Times(0.0, 10_000.0, (), (NodeTimes("N1", spans), NodeTimes("N2", spans)), (), ())
    lines = drawn(times, 80)
    assert row(lines, "N1").count("▓") == 1
    assert row(lines, "serving").split() == ["2", "0", "2"]


def test_a_last_count_of_more_digits_than_columns_is_told_whole() -> None:
    nodes = tuple(
        NodeTimes(f"N{n}", (Span("down", 0, 999), Span("up", 999, 1000))) for n in range(40)
    )
    lines = drawn(Times(0.0, 1000.0, (), nodes, (), ()), 80)
    assert row(lines, "serving").split() == ["0", "outage", "40"]


def test_many_nodes_alike_are_shown_once() -> None:
    lines = drawn(many(50), 120)
    assert [line.split("  ")[0] for line in lines if line.startswith("N")] == [
        "N1 and 9 alike", "N11 and 8 alike", "N18", "N21 and 9 alike", "N31 and 9 alike",
        "N41 and 9 alike",
    ]  # fmt: skip
    assert row(lines, "serving").split() == ["50", "0", "10", "19", "29", "39", "49"]


def test_a_screen_without_a_width_yet_is_drawn_too() -> None:
    assert {len(line) for line in drawn(times_of(view_of("many")), -6)} <= set(range(41))


def test_a_few_nodes_have_a_row_each() -> None:
    names = [line.split("  ")[0] for line in drawn(times_of(view_of("succeeded")), 80)]
    assert names[2:5] == ["OCTO1", "OCTO2", "OCTO3"]


def test_how_many_serve_is_not_known_where_a_node_is_not() -> None:
    assert row(drawn(times_of(view_of("resumed")), 160), "serving").split() == [
        "3", "0", "outage", "0?", "0", "outage", "1", "3",
    ]  # fmt: skip


def test_a_run_that_came_no_further_than_the_stop_is_drawn() -> None:
    times = times_of(view_of("succeeded", until=begins("installing.install@OCTO1")))
    assert row(drawn(times, 80), "serving").split() == ["3", "0"]


def test_the_report_as_a_file_has_the_picture_as_it_stands() -> None:
    text = render(view_of("left-out"))
    block = text.split("## nodes by time (UTC)\n\n```text\n")[1].split("```")[0].splitlines()
    assert max(map(len, block)) <= 100
    assert block[0].split()[0] == "08:53:34"
    assert row(block, "OCTO2").endswith("✗─")
    assert "nodes by time" not in render(view_of("aborted"))
