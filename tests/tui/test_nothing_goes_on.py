"""What the canvases say where nothing goes on: the run has ended, or its process is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.screens.node import NodeScreen
from octotui.tui.widgets.clocks import clock_pieces
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.node_heading import heading
from octotui.tui.widgets.node_rows import rows
from octotui.tui.widgets.phases import expectations, phases_now
from octotui.tui.widgets.step_matrix import StepMatrix
from octotui.tui.widgets.step_table import describe
from octotui.tui.widgets.timeline import PhaseTimeline, now_line, phase_line
from octotui.view import RunView
from tests.cockpit_support import Recorded
from tests.tui.test_widgets import Bench, recorded, screen_text, text_of


def timeline(view: RunView, now: float, width: int = 160, alive: bool = True) -> tuple[str, str]:
    phases = phases_now(view, now, expectations(view.plan), alive=alive)
    return text_of(phase_line(phases, width)), text_of(now_line(view, phases, now, width))


def ends(step: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["kind"] == "step.ended" and event["data"]["step"] == step


def test_after_a_roll_back_nothing_is_next_and_the_way_back_is_named() -> None:
    view, now = recorded("rolled-back")
    assert {(row.glyph, row.doing) for row in rows(view, now)} == {("✓", "back at 2025.2.13071")}
    phases, words = timeline(view, now, 78)
    assert phases.endswith("✓ rolling back")
    assert words == "the way back is done"


def test_on_the_way_back_nothing_is_next_that_the_plan_has() -> None:
    view, now = recorded("rolled-back", "rolling_back.start@OCTO1")
    said = {row.name: row.doing for row in rows(view, now)}
    assert said["OCTO2"] == "on the way back"
    assert not any("next" in doing or "failed" in doing for doing in said.values())
    assert "about" not in text_of(clock_pieces(view, now, 160)), "that is the upgrade's time"
    assert "so far" in text_of(clock_pieces(view, now, 160))


@pytest.mark.parametrize(("name", "word"), [("aborted", "aborted"), ("refused", "refused")])
def test_a_run_that_was_given_up_has_nothing_ahead(name: str, word: str) -> None:
    view, now = recorded(name)
    assert not any("next" in row.doing for row in rows(view, now))
    _, words = timeline(view, now)
    assert words.startswith(word)
    assert words.endswith("; nothing was changed")
    assert "about" not in text_of(clock_pieces(view, now, 160))


def test_a_phase_that_stopped_says_after_how_long_and_expects_nothing() -> None:
    view, now = recorded("joining-failed")
    assert timeline(view, now + 500)[1].startswith("joining stopped after 2:19   past the point")


def test_without_a_process_nothing_counts_on_and_nothing_is_promised() -> None:
    view, at = recorded("succeeded", "migrating.database@OCTO1")
    assert "all done about" in timeline(view, at + 20.0)[1]
    first, second = (timeline(view, at + later, alive=False) for later in (20.0, 80.0))
    assert first == second
    assert "? migrating" in first[0]
    assert first[1].startswith("migrating: how far it came is not known")
    assert "done about" not in first[1]
    found = rows(view, at + 20.0, alive=False)
    assert found == rows(view, at + 80.0, alive=False)
    row = next(row for row in found if row.name == "OCTO1")
    assert (row.glyph, row.time) == ("?", "")
    assert row.doing.startswith("not known: ")
    assert "1 running" not in heading(found, 3)
    assert "? 1 not known" in heading(found, 3)
    assert "about" not in text_of(clock_pieces(view, at + 20.0, 160, alive=False))
    step = view.steps["migrating.database@OCTO1"]
    assert describe(step, at + 20.0, alive=False) == describe(step, at + 80.0, alive=False)


async def test_the_screens_know_that_the_process_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", ends("migrating.database@OCTO1"), alive=False)
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings())
    try:
        async with app.run_test(size=(160, 50)) as pilot:
            await pilot.pause()
            app.tick()
            while not app.screen.query(PhaseTimeline):
                await pilot.pause()
            app.tick()
            assert "about" not in "".join(screen_text(app.screen.query_one(PhaseTimeline)))
            while not app.screen.query(NodeGrid):
                await pilot.press("escape")
                await pilot.pause()
            app.tick()
            assert any(
                line.startswith("? OCTO1") for line in screen_text(app.screen.query_one(NodeGrid))
            )
            assert "how far it came is not known" in " ".join(
                screen_text(app.screen.query_one(PhaseTimeline))
            )
            assert "?" in "".join(screen_text(app.screen.query_one(StepMatrix))[1:-1])
            app.push_screen(screen := NodeScreen("OCTO1"))
            await pilot.pause()
            assert "? not known: " in screen.text()
            assert "▶" not in screen.text()
    finally:
        run.close()


def test_nodes_and_versions_are_sorted_as_people_count() -> None:
    view, now = recorded("succeeded")
    for name, version in (("OCTO10", "2025.10.1"), ("OCTO11", "2025.9.2")):
        view.nodes[name] = type(view.nodes["OCTO1"])(name, version)
    by_name = [row.name for row in rows(view, now, sort="name")]
    assert by_name == ["OCTO1", "OCTO2", "OCTO3", "OCTO10", "OCTO11"]
    assert [row.version for row in rows(view, now, sort="version")][-2:] == [
        "2025.9.2",
        "2025.10.1",
    ]


def test_the_heading_keeps_its_order_whatever_the_rows_have() -> None:
    view, now = recorded("joining-failed")
    headings = {heading(rows(view, now, sort=sort), 3) for sort in ("state", "name", "version")}
    assert len(headings) == 1


async def test_the_table_says_how_it_is_sorted() -> None:
    view, now = recorded("joining-failed")
    grid = NodeGrid()
    async with Bench(grid).run_test(size=(100, 10)) as pilot:
        grid.show(view, now)
        assert grid.border_subtitle == "by state"
        await pilot.press("s")
        assert grid.border_subtitle == "by name"


def test_a_node_that_a_step_of_the_cluster_failed_for_says_so() -> None:
    view, now = recorded("joining-failed")
    step = view.steps["stopping.ready"]
    step.state, step.error = "failed", {"what": "OCTO3 is out of reach", "node": "OCTO3"}
    row = next(row for row in rows(view, now) if row.name == "OCTO3")
    assert row.glyph == "✗"
    assert row.doing.endswith("OCTO3 is out of reach")
