"""The cockpit's canvases: what they say of a recorded run, their keys, and how little they send."""

import json
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.widget import Widget

from octotui.api.events import Event
from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.widgets.clocks import Clocks, clock_pieces
from octotui.tui.widgets.log_view import LogView
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.node_rows import rows
from octotui.tui.widgets.phases import expectations, phases_now
from octotui.tui.widgets.step_matrix import StepMatrix
from octotui.tui.widgets.timeline import PhaseTimeline, phase_line
from octotui.view import RunView

JOURNALS = Path(__file__).parent / "journals"


def recorded(name: str, until: str = "") -> tuple[RunView, float]:
    """A recorded run up to and with the first event of a step, or whole; and its last time."""
    view, at = RunView(), 0.0
    for line in (JOURNALS / f"{name}.jsonl").read_text().splitlines():
        event = json.loads(line)
        at = event["at"]
        view.apply(Event(0, at, "run-1", event["subject"], event["kind"], event["data"]))
        if until and event["kind"] == "step.started" and event["data"]["step"] == until:
            break
    return view, at


class Bench(App[None]):
    """One widget, and what was told by it."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.told: list[Any] = []

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_node_grid_chosen(self, message: NodeGrid.Chosen) -> None:
        self.told.append(message.node)

    def on_step_matrix_chosen(self, message: StepMatrix.Chosen) -> None:
        self.told.append(message.step_id)

    def on_log_view_copied(self, message: LogView.Copied) -> None:
        self.told.append(message.text)

    def on_log_view_save_wanted(self) -> None:
        self.told.append("save")


def screen_text(widget: Widget) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def repainted(widget: Widget, monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """From now on: the regions that the widget has repainted; a whole repaint is its size."""
    found: list[Region] = []

    def refresh(*regions: Region, **_: Any) -> Widget:
        found.extend(regions or [widget.size.region])
        return widget

    monkeypatch.setattr(widget, "refresh", refresh)
    return found


def text_of(pieces: list[tuple[str, str]]) -> str:
    return "".join(text for text, _ in pieces)


def test_failed_nodes_come_first_and_say_what_failed() -> None:
    view, now = recorded("joining-failed")
    first = rows(view, now)[0]
    assert (first.name, first.glyph, first.service) == ("OCTO2", "✗", "stopped")
    assert "failed: install the new package: the installation ended with exit code" in first.doing
    assert [row.name for row in rows(view, now, sort="name")] == ["OCTO1", "OCTO2", "OCTO3"]
    assert [row.name for row in rows(view, now, text="SERVING")] == ["OCTO1", "OCTO3"]


def test_a_running_step_shows_its_time_of_what_was_expected() -> None:
    view, at = recorded("succeeded", "migrating.database@OCTO1")
    first = rows(view, at + 61)[0]
    assert (first.name, first.glyph) == ("OCTO1", "▶")
    assert first.time == "1:01 of ~2:00"


def test_phases_tell_where_the_run_is_and_where_there_is_no_return() -> None:
    view, at = recorded("succeeded", "migrating.database@OCTO1")
    phases = phases_now(view, at + 10, expectations(view.plan))
    states = {phase.name: phase.state for phase in phases}
    assert states["stopping"] == "done"
    assert states["migrating"] == "running"
    assert states["starting"] == "to do"
    assert "┃ ▶ migrating" in text_of(phase_line(phases, 80))
    for width in (30, 80, 120, 200):
        assert len(text_of(phase_line(phases, width))) <= width


def test_a_phase_that_did_not_end_well_is_no_done_one() -> None:
    view, at = recorded("joining-failed")
    states = {p.name: p.state for p in phases_now(view, at, {})}
    assert states["joining"] == "failed"
    assert states["finishing"] == "to do"


def test_clocks_stand_against_what_the_plan_expects() -> None:
    view, at = recorded("succeeded", "migrating.database@OCTO1")
    assert "outage " in text_of(clock_pieces(view, at, 120))
    assert " over" in text_of(clock_pieces(view, at + 3600, 120))
    expected = view.plan["estimate"]["outage_seconds"]
    assert view.last_stop is not None
    assert " over" not in text_of(clock_pieces(view, view.last_stop + expected + 20, 120))
    assert len(text_of(clock_pieces(view, at, 78))) <= 78
    failed, end = recorded("joining-failed")
    assert text_of(clock_pieces(failed, end, 160)).count("✓") == 1  # not all are up


@pytest.mark.parametrize("kind", [PhaseTimeline, NodeGrid])
async def test_only_what_ticks_is_sent(
    kind: type[PhaseTimeline] | type[NodeGrid], monkeypatch: pytest.MonkeyPatch
) -> None:
    view, at = recorded("succeeded", "migrating.database@OCTO1")
    widget = kind()
    async with Bench(widget).run_test(size=(120, 12)):
        widget.show(view, at + 20.0)
        found = repainted(widget, monkeypatch)
        for quarter in range(1, 5):
            widget.show(view, at + 20.0 + quarter / 4)
        assert 0 < sum(region.area for region in found) <= 4


async def test_only_the_digits_of_clocks_that_tick_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view, at = recorded("succeeded", "migrating.database@OCTO1")
    clocks = Clocks()
    async with Bench(clocks).run_test(size=(120, 3)) as pilot:
        clocks.show(view, at + 20.0)
        await pilot.pause()
        text = "".join(part.render_line(0).text for part in clocks.children)
        assert text == text_of(clock_pieces(view, at + 20.0, 118))
        found = [repainted(part, monkeypatch) for part in clocks.children]
        for quarter in range(1, 5):
            clocks.show(view, at + 20.0 + quarter / 4)
        assert sum(len(regions) for regions in found) == 3
        assert sum(region.area for regions in found for region in regions) <= 15


async def test_the_grid_keeps_its_cursor_on_its_node_while_the_order_changes() -> None:
    before, at = recorded("joining-failed", "joining.install@OCTO2")
    after, _ = recorded("joining-failed")
    grid = NodeGrid()
    async with (app := Bench(grid)).run_test(size=(100, 10)) as pilot:
        grid.show(before, at)
        await pilot.press("s", "end")
        assert grid.sort == "name"
        assert grid.node == "OCTO3"
        await pilot.press("s", "s", "home")
        assert grid.sort == "state"
        chosen = grid.node
        grid.show(after, at + 60)
        assert grid.node == chosen
        await pilot.press("enter")
        assert app.told == [chosen]
        grid.narrow("serving")
        assert [line[:7] for line in screen_text(grid)[:3]] == ["⋅ OCTO1", "⋅ OCTO3", ""]


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (30, 5)])
async def test_the_table_of_steps_shows_the_point_of_no_return(size: tuple[int, int]) -> None:
    view, at = recorded("joining-failed")
    matrix = StepMatrix()
    async with (app := Bench(matrix)).run_test(size=size) as pilot:
        matrix.show(view, at)
        await pilot.press("home", "up", "up", "up", "down", "down")
        while matrix.step_id != "joining.install@OCTO2":
            before = matrix.step_id
            await pilot.press("right")
            assert matrix.step_id != before or not before
        text = screen_text(matrix)
        assert "joining" in text[0]
        assert text[-1].startswith("OCTO2: install the new packag")
        assert any("✗" in line for line in text[1:-1])
        await pilot.press("enter")
        assert app.told == ["joining.install@OCTO2"]
        await pilot.press("home", *["right"] * 4)
        assert len({line.find("┃") for line in screen_text(matrix)[:3]} - {-1}) <= 1


async def test_the_table_of_steps_follows_the_run_until_a_person_moves(
) -> None:  # fmt: skip
    view, at = recorded("joining-failed")
    matrix = StepMatrix()
    async with (app := Bench(matrix)).run_test(size=(40, 12)) as pilot:
        matrix.show(view, at)
        assert matrix.step_id == "joining.install@OCTO2", "what failed"
        view.state, view.waiting_phase = "finishing", ""
        matrix.show(view, at)
        assert matrix.step_id.startswith("finishing."), "where the run has come"
        assert "finishing" in screen_text(matrix)[0]
        await pilot.press("left", "left")
        stood = matrix.step_id
        view.state = "stopping"
        matrix.show(view, at)
        assert matrix.step_id == stood
        app.screen.set_focus(None)
        await pilot.pause()
        matrix.show(view, at)
        assert matrix.step_id.startswith("stopping.")


def lines(count: int, start: int = 0) -> list[LogLine]:
    return [
        LogLine(
            "2026-01-31T12:00:00Z",
            f"OCTO{n % 2 + 1}",
            Severity.ERROR if n % 50 == 7 else Severity.INFO,
            f"text {n}",
        )
        for n in range(start, start + count)
    ]


async def test_the_log_follows_only_at_its_end() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(60, 11)) as pilot:
        log.focus()
        log.extend(lines(100))
        assert screen_text(log)[9].split("OCTO2 ")[1].startswith("text 99")
        await pilot.press("pageup")
        stood = screen_text(log)[:10]
        log.extend(lines(30, 100))
        assert [line[:40].rstrip() for line in screen_text(log)[:10]] == [
            line[:40].rstrip() for line in stood
        ]
        assert "30 new below" in screen_text(log)[10]
        await pilot.press("end")
        assert "text 129" in screen_text(log)[9]
        assert "follow" in screen_text(log)[10]


async def test_what_is_looked_at_stays_while_the_oldest_lines_go() -> None:
    log = LogView(capacity=200)
    async with Bench(log).run_test(size=(60, 11)) as pilot:
        log.focus()
        log.extend(lines(200))
        await pilot.press("pageup")
        stood = [line[:40].rstrip() for line in screen_text(log)[:10]]
        log.extend(lines(50, 200))
        assert [line[:40].rstrip() for line in screen_text(log)[:10]] == stood


async def test_finding_goes_from_hit_to_hit_and_says_when_there_is_none() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(60, 11)) as pilot:
        log.focus()
        log.extend(lines(100))
        assert log.search("TEXT 4")
        seen = []
        for key in ("N", "n", "n"):
            await pilot.press(key, "y")
            await pilot.pause()
            seen.append(log.app.told[-1].rpartition(" ")[2])  # type: ignore[attr-defined]
        assert seen == ["48", "49", "4"]
        await pilot.press("e", "y")
        await pilot.pause()
        assert log.app.told[-1].endswith("text 7")  # type: ignore[attr-defined]
        await pilot.press("e", "E", "E", "y")
        await pilot.pause()
        assert log.app.told[-1].endswith("text 57")  # type: ignore[attr-defined]
        assert not log.search("nowhere")
        assert "nothing has nowhere" in screen_text(log)[10]


async def test_a_selection_is_copied_and_what_is_shown_can_be_had() -> None:
    log = LogView()
    async with (app := Bench(log)).run_test(size=(60, 11)) as pilot:
        log.focus()
        log.extend(lines(20))
        await pilot.press("up", "v", "up", "up", "y", "ctrl+s")
        await pilot.pause()
        assert [line[-7:] for line in app.told[0].splitlines()] == ["text 17", "text 18", "text 19"]
        assert app.told[1] == "save"
        log.show_only(node="OCTO2", severity=Severity.ERROR)
        assert [line.text for line in log.shown()] == ["text 7"]


async def test_long_lines_are_cut_shifted_or_wrapped() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(50, 11)) as pilot:
        log.focus()
        text = " ".join(f"word{n}" for n in range(20))
        log.extend([LogLine("", "OCTO1", Severity.INFO, text)])
        assert "word19" not in "".join(screen_text(log))
        await pilot.press(*["right"] * 5)
        assert "d19" in "".join(screen_text(log))
        await pilot.press("w")
        shown = "".join(line[21:49] for line in screen_text(log)[:10]).strip()
        assert shown.replace(" ", "") == text.replace(" ", "")


async def test_context_shows_what_is_around() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(60, 11)) as pilot:
        log.focus()
        log.extend(lines(100))
        log.show_only(text="/text 50$/")
        await pilot.press("C")
        shown = [line.split()[4] for line in screen_text(log)[:7]]
        assert shown == [str(n) for n in range(47, 54)]
        with pytest.raises(ValueError, match="no regular expression"):
            log.show_only(text="/(/")


@pytest.mark.parametrize("widget", [NodeGrid, StepMatrix, LogView])
def test_every_key_has_a_name_and_says_what_it_does(widget: type[Widget]) -> None:
    bindings = widget.BINDINGS
    assert all(b.id and b.tooltip for b in bindings)  # type: ignore[union-attr]
    assert len({b.id for b in bindings}) == len(bindings)  # type: ignore[union-attr]
