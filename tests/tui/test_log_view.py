"""What the log says of lines that go beyond the screen, of searching, and of its own keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widget import Widget

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.screens.base import KeyLine
from octotui.tui.widgets.log_paint import BACK, ON
from octotui.tui.widgets.log_view import LogView
from tests.cockpit_support import Recorded, begins
from tests.tui.test_widgets import Bench, lines, screen_text


def row(widget: Widget, number: int) -> str:
    return widget.render_line(number).text[: widget.size.width - 1].rstrip()


async def test_a_line_that_goes_on_beyond_the_edge_has_a_mark_there() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(50, 6)) as pilot:
        log.focus()
        log.extend([LogLine("", "OCTO1", Severity.INFO, "abc" * 30)])
        log.extend([LogLine("", "OCTO1", Severity.INFO, "日本語" * 20)])
        log.extend([LogLine("", "OCTO1", Severity.INFO, "x" * 28)])
        assert [row(log, y)[-1] for y in range(3)] == [ON, ON, "x"]
        assert "x" * 28 in row(log, 2), "what fits is not cut"
        await pilot.press("right")
        assert [row(log, y)[21] for y in range(2)] == [BACK, BACK]
        assert row(log, 0)[-1] == ON
        await pilot.press("w")
        assert ON not in "".join(screen_text(log)[:5])


async def test_a_hit_beyond_the_edge_is_brought_into_sight() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(50, 6)) as pilot:
        log.focus()
        log.extend([LogLine("", "OCTO1", Severity.INFO, "first needle")])
        log.extend([LogLine("", "OCTO1", Severity.INFO, "x" * 90 + " needle " + "y" * 90)])
        assert log.search("needle")
        assert "needle" in row(log, 1)
        await pilot.press("N")
        assert "first needle" in row(log, 0), "back to the left where that shows it"


async def test_finding_says_where_it_goes_round_the_end() -> None:
    log = LogView()
    async with Bench(log).run_test(size=(70, 8)) as pilot:
        log.focus()
        log.extend(lines(100))
        assert log.search("text 49")
        await pilot.press("n")
        assert "no other one" in screen_text(log)[-1]
        assert log.search("text 4")
        assert "from" not in screen_text(log)[-1]
        for _ in range(2):
            await pilot.press("n")
        assert "from the top" in screen_text(log)[-1]
        await pilot.press("N")
        assert "from the end" in screen_text(log)[-1]
        await pilot.press("up")
        assert "from the end" not in screen_text(log)[-1]
        await pilot.press("end", "e")
        assert "from the top" in screen_text(log)[-1]


@pytest.mark.parametrize("width", [60, 78])
async def test_how_many_lines_are_shown_is_said_in_whole_on_a_narrow_screen(width: int) -> None:
    log = LogView()
    async with Bench(log).run_test(size=(width, 8)) as pilot:
        log.focus()
        log.extend(lines(100))
        log.show_only(node="OCTO2", text="text", severity=Severity.WARN)
        log.search("text")
        await pilot.press("up")
        assert "2/100" in screen_text(log)[-1] or "2 of 100 lines" in screen_text(log)[-1]
        assert "OCTO2" in screen_text(log)[-1]


async def test_the_line_of_keys_tells_those_of_the_log_while_it_has_the_focus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", begins("migrating.database@OCTO1"))
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings())
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            app.tick()
            keys = app.screen.query_one(KeyLine)
            assert "next error" not in str(keys.render())
            await pilot.press("l")
            app.tick()
            assert str(keys.render()).startswith(" e next error  w wrap  v select ")
            assert "next hit" not in str(keys.render()), "nothing is searched for"
            await pilot.press("up")
            app.screen.query_one(LogView).search("OCTO")
            app.tick()
            assert " end follow  n next hit  e next error " in str(keys.render())
            assert str(keys.render()).rstrip().endswith("q leave")
    finally:
        run.close()
