"""The lines behind the log view: which are shown, in which rows, what is found."""

import pytest

from octotui.tui.log_tail import LogLine, Severity, parse
from octotui.tui.widgets.log_buffer import LogBuffer, LogFilter, finder


def line(text: str, node: str = "OCTO1", severity: Severity = Severity.INFO) -> LogLine:
    return LogLine("2026-01-31T12:00:00Z", node, severity, text)


def filled(count: int, capacity: int = 1000) -> LogBuffer:
    buffer = LogBuffer(capacity)
    buffer.extend(line(f"text {n}", f"OCTO{n % 2 + 1}") for n in range(count))
    return buffer


def texts(buffer: LogBuffer) -> list[str]:
    return [shown.text for shown in buffer.all_shown()]


def test_the_oldest_lines_go_and_numbers_stay() -> None:
    buffer = filled(1000)
    added, gone = buffer.extend(line(f"more {n}") for n in range(100))
    assert (added, gone) == (100, 100)
    assert len(buffer) == buffer.rows == 1000
    assert texts(buffer)[0] == "text 100"
    assert buffer.line(1099).text == "more 99"
    assert buffer.at_row(0) == (100, 0)


def test_node_severity_and_text_narrow_together() -> None:
    buffer = filled(10)
    buffer.extend([line("Text of an error", "OCTO2", Severity.ERROR)])
    buffer.set_filter(LogFilter("OCTO2", Severity.INFO, "TEXT"), context=False)
    assert buffer.shown == 6
    buffer.set_filter(LogFilter("OCTO2", Severity.WARN, "text"), context=False)
    assert texts(buffer) == ["Text of an error"]
    buffer.extend([line("another text"), line("text", "OCTO2", Severity.ERROR)])
    assert texts(buffer) == ["Text of an error", "text"]


def test_regular_expressions_stand_between_slashes() -> None:
    buffer = filled(20)
    buffer.set_filter(LogFilter(text="/text 1[0-3]$/"), context=False)
    assert texts(buffer) == ["text 10", "text 11", "text 12", "text 13"]
    with pytest.raises(ValueError, match="no regular expression"):
        buffer.set_filter(LogFilter(text="/text (/"), context=False)
    assert buffer.shown == 4  # a faulty one changes nothing


def test_context_shows_three_lines_around_each_hit_once() -> None:
    buffer = filled(30)
    buffer.set_filter(LogFilter(text="/text (10|12|25)$/"), context=True)
    assert texts(buffer) == [f"text {n}" for n in (*range(7, 16), *range(22, 29))]
    assert [n for n in range(7, 16) if buffer.is_hit(n)] == [10, 12]


def test_lines_that_come_get_their_context_too() -> None:
    whole, later = filled(30), filled(11)
    for buffer in (whole, later):
        buffer.set_filter(LogFilter(text="/text (10|12|25)$/"), context=True)
    later.extend(line(f"text {n}") for n in range(11, 30))
    assert texts(later) == texts(whole)


@pytest.mark.parametrize("count", [1, 7, 300])
def test_wrapped_lines_take_the_rows_of_their_text(count: int) -> None:
    buffer = LogBuffer(200)
    buffer.set_width(30, 20)  # ten cells of text a row
    for n in range(count):
        buffer.extend([line("x" * (n % 25)), line("日本語の行です")])
    rows = [buffer.at_row(row) for row in range(buffer.rows)]
    expected = []
    for row in rows:
        assert row is not None
        number = row[0]
        text = buffer.line(number).text
        cells = 14 if text.startswith("日") else len(text)
        expected.append((number, max(1, -(-cells // 10))))
    for number, height in set(expected):
        assert [part for n, part in rows if n == number] == list(range(height))
        assert buffer.at_row(buffer.row_of(number)) == (number, 0)
    assert buffer.at_row(buffer.rows) is None


def test_finding_goes_on_round_the_end_in_both_directions() -> None:
    buffer = filled(30)
    finds = finder("TEXT 1")
    assert finds is not None

    def test(found: LogLine) -> bool:
        return finds(found.text)

    assert buffer.find(test, 5, forward=True) == 10
    assert buffer.find(test, 19, forward=True) == 1
    assert buffer.find(test, 10, forward=False) == 1
    assert buffer.find(test, 1, forward=False) == 19
    assert buffer.find(lambda _: False, 1, forward=True) is None


def test_the_bar_knows_where_the_worst_lines_are() -> None:
    buffer = filled(50)
    buffer.extend([line("bad", severity=Severity.ERROR), line("odd", severity=Severity.WARN)])
    buffer.extend(line("text") for _ in range(48))
    assert buffer.bad_rows(4) == [0, 0, Severity.ERROR, 0]


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    shown = parse("2026-01-31T12:00:00Z a\x1b[2Jb\tc\x07", "OCTO1").text
    assert shown.isprintable()
    assert shown.startswith("a")
