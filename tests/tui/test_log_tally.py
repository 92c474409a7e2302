"""How many errors and warnings the log's border tells, whatever the log shows or still has."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.content import Content

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.screens.node import NodeScreen
from octotui.tui.store import Store
from octotui.tui.widgets.log_buffer import LogBuffer, LogFilter
from octotui.tui.widgets.log_tally import LogTally, tally_words
from octotui.tui.widgets.log_view import LogView
from tests.cockpit_support import Make
from tests.tui.test_widgets import Bench, lines, repainted

ERROR, WARN, INFO = Severity.ERROR, Severity.WARN, Severity.INFO


def line(text: str, severity: Severity = INFO, node: str = "OCTO1") -> LogLine:
    return LogLine("2026-01-31T12:00:00Z", node, severity, text)


def counted(tally: LogTally, node: str = "") -> tuple[int, int]:
    return tally.count(node, ERROR), tally.count(node, WARN)


def newest_text(tally: LogTally, node: str = "") -> str:
    found = tally.newest(node)
    return found.text if found else ""


def told(log: LogView) -> str:
    return Content.from_markup(log.border_subtitle or "").plain


def test_each_node_is_counted_and_all_together() -> None:
    tally = LogTally()
    tally.add([line("a", ERROR), line("b"), line("c", WARN, "OCTO2")])
    tally.add([line("d", ERROR, "OCTO2"), line("e", Severity.DEBUG)])
    assert [counted(tally, node) for node in ("", "OCTO1", "OCTO2", "OCTO3")] == [
        (2, 1), (1, 0), (1, 1), (0, 0),
    ]  # fmt: skip


def test_the_newest_error_is_told_and_a_warning_only_while_there_is_none() -> None:
    tally = LogTally()
    assert newest_text(tally) == ""
    tally.add([line("a", WARN), line("b", WARN, "OCTO2"), line("c")])
    assert [newest_text(tally, node) for node in ("", "OCTO1")] == ["b", "a"]
    tally.add([line("d", ERROR), line("e", WARN)])
    assert [newest_text(tally, node) for node in ("", "OCTO1", "OCTO2")] == [
        "d", "d", "b",
    ]  # fmt: skip


def test_lines_that_are_not_kept_any_more_are_counted() -> None:
    buffer = LogBuffer(100)
    buffer.extend([line("first", ERROR)])
    for _ in range(10):
        buffer.extend([line("odd", WARN), *[line("text")] * 50])
    assert len(buffer) < 200
    assert counted(buffer.tally) == (1, 10)
    assert newest_text(buffer.tally) == "first"


def test_what_is_filtered_changes_no_count() -> None:
    buffer = LogBuffer()
    buffer.extend([line("a", ERROR), line("b", WARN, "OCTO2")])
    for chosen in (LogFilter("OCTO2"), LogFilter(severity=ERROR), LogFilter(text="nowhere")):
        buffer.set_filter(chosen, context=False)
        buffer.extend([line("text")])
        assert counted(buffer.tally) == (1, 1)


def test_lines_that_are_taken_back_have_not_been_there() -> None:
    buffer = LogBuffer()
    buffer.extend([line("a", ERROR), line("b"), line("c", ERROR), line("d", WARN)])
    assert buffer.take_back(2)
    assert counted(buffer.tally) == (1, 0)
    assert newest_text(buffer.tally, "OCTO1") == "a"
    buffer.extend([line("e", ERROR)])
    assert counted(buffer.tally) == (2, 0)


def test_all_that_is_taken_back_is_counted_when_it_comes_again() -> None:
    buffer = LogBuffer(100)
    for _ in range(4):
        buffer.extend([line("a", ERROR), *[line("text")] * 49])
    assert not buffer.take_back(1), "older ones are forgotten"
    assert counted(buffer.tally) == (0, 0)
    buffer.extend([line("a", ERROR)])
    assert counted(buffer.tally) == (1, 0)


def test_words_and_glyphs_say_what_colours_do() -> None:
    tally = LogTally()
    assert tally_words(tally, "OCTO1", "", 74).plain == "OCTO1 logged ✗ 0 errors  ! 0 warnings"
    tally.add([line("a", ERROR), line("b", WARN), line("c", WARN, "OCTO2")])
    words = tally_words(tally, "OCTO1", "OCTO1", 36)
    assert words.plain == "OCTO1 logged ✗ 1 error  ! 1 warning"
    assert {(words.plain[span.start : span.end], span.style) for span in words.spans[1:]} == {
        ("✗ 1 error", "bold $text-error"), ("  ! 1 warning", "bold $text-warning"),
    }  # fmt: skip
    tally.missed = True
    assert tally_words(tally, "all nodes", "", 74).plain.startswith(
        "all nodes logged at least ✗ 1 error  ! 2 warnings"
    )


@pytest.mark.parametrize("text", ["short", "[red]" + "x" * 300, "日本語の行です" * 20])
@pytest.mark.parametrize("width", [*range(30, 90, 7), 154])
def test_the_newest_is_told_where_there_is_room(text: str, width: int) -> None:
    tally = LogTally()
    tally.add([line(text, WARN, "OCTO2")])
    words = tally_words(tally, "all nodes", "", width).plain
    counts = "all nodes logged ✗ 0 errors  ! 1 warning"
    assert words.startswith(counts)
    assert Content(words).cell_length <= max(width, len(counts))
    if len(counts) + 50 <= width:
        assert "  last warning " in words
        assert f" OCTO2 {text[:5]}" in words
        assert words.endswith((text, "…"))
    if width < 60:
        assert "last" not in words


async def test_the_border_says_it_at_once_whatever_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = LogView(whose="all nodes")
    async with Bench(log).run_test(size=(120, 11)) as pilot:
        assert told(log) == "all nodes logged ✗ 0 errors  ! 0 warnings"
        log.extend([line("[b]a", ERROR), line("b", WARN, "OCTO2"), line("c")])
        assert told(log).startswith("all nodes logged ✗ 1 error  ! 1 warning  last error ")
        assert told(log).endswith(" OCTO1 [b]a")
        log.show_only(severity=ERROR)
        log.show_only(text="nowhere")
        assert told(log).startswith("all nodes logged ✗ 1 error  ! 1 warning")
        log.show_only(node="OCTO2")
        assert told(log).startswith("OCTO2 logged ✗ 0 errors  ! 1 warning  last warning ")
        log.show_only(node="")
        log.take_back(3)
        assert told(log) == "all nodes logged ✗ 0 errors  ! 0 warnings"
        log.extend([line("d", ERROR)])
        await pilot.resize_terminal(60, 11)
        await pilot.pause()
        assert told(log) == "all nodes logged ✗ 1 error  ! 0 warnings"


async def test_a_count_that_is_the_same_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogView(whose="all nodes")
    async with Bench(log).run_test(size=(120, 11)) as pilot:
        log.focus()
        log.extend(lines(200))
        await pilot.press("pageup")
        await pilot.pause()
        found = repainted(log, monkeypatch)
        log.extend([line("text")])
        assert log.size.region not in found
        log.extend([line("text", ERROR)])
        assert log.size.region in found


async def test_who_does_not_say_whose_lines_they_are_is_told_no_count() -> None:
    log = LogView(bare=True)
    async with Bench(log).run_test(size=(120, 11)):
        log.extend([line("a", ERROR)])
        assert log.border_subtitle is None


def cockpit(run: Make, **options: object) -> Cockpit:
    recorded = run("joining-failed")
    logs = Path(recorded.run.logs)
    stamp = "2025-10-09T09:00:00Z"
    (logs / "OCTO1.log").write_text(f"{stamp} WARN odd\n{stamp} all is well\n")
    (logs / "OCTO2.log").write_text(f"{stamp} Error 1304. Error writing to file\n")
    return Cockpit(recorded.run, now=recorded.now, environment={}, settings=Settings(), **options)  # type: ignore[arg-type]


async def test_the_run_and_a_node_tell_theirs(recorded: Make) -> None:
    app = cockpit(recorded)
    async with app.run_test(size=(160, 50)) as pilot:
        app.tick()  # it offers the decision
        await pilot.pause()
        await pilot.press("escape")
        app.tick()
        log = app.screen.query_one(LogView)
        assert told(log).startswith("all nodes logged ✗ 1 error  ! 1 warning  last error ")
        assert told(log).endswith(" OCTO2 Error 1304. Error writing to file")
        await pilot.press("i", "i")
        assert told(log).startswith("all nodes logged ✗ 1 error  ! 1 warning")
        await pilot.press("o")
        assert told(log).startswith("OCTO2 logged ✗ 1 error  ! 0 warnings")
        await app.push_screen(NodeScreen("OCTO1"))
        await pilot.pause()
        app.tick()
        assert told(app.screen.query_one(LogView)).startswith(
            "OCTO1 logged ✗ 0 errors  ! 1 warning  last warning "
        )


async def test_lines_that_were_dropped_unseen_make_it_at_least(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octotui.tui.store.KEPT_LINES", 2)
    app = cockpit(recorded)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        assert isinstance(app.store, Store)
        app.tick()
        app.push_screen(NodeScreen("OCTO2"))
        await pilot.pause()
        app.tick()
        assert told(app.screen.query_one(LogView)).startswith("OCTO2 logged at least ")


async def test_where_only_the_newest_lines_are_played_it_is_at_least(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octotui.tui.recording.KEPT_LINES", 50)
    run = recorded("many", alive=False)
    app = Cockpit(run.run, replayed=True, now=run.now, environment={}, settings=Settings())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.tick()
        assert told(app.screen.query_one(LogView)).startswith("all nodes logged at least ")


async def test_a_log_of_one_row_says_it_too() -> None:
    log = LogView(whose="all nodes")
    async with Bench(log).run_test(size=(120, 1)) as pilot:
        log.extend([line("a", ERROR)])
        await pilot.pause()
        assert told(log).startswith("all nodes logged ✗ 1 error")


async def test_a_replay_that_goes_back_has_had_fewer(recorded: Make) -> None:
    run = recorded("many", alive=False)
    app = Cockpit(run.run, replayed=True, now=run.now, environment={}, settings=Settings())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("space")
        for key, count in {"$": "2 errors", "0": "0 errors"}.items():
            await pilot.press(key)
            assert told(app.screen.query_one(LogView)).startswith(f"all nodes logged ✗ {count} ")
        await pilot.press("$")
        assert told(app.screen.query_one(LogView)).endswith("Return value …")
