"""The lines behind the log view: kept, filtered, searched, laid out in rows. No screen here.

Lines have numbers that never change, from 0 on, while the oldest ones go. What is shown is a list
of such numbers; with wrapping, a second list says in which row each of them ends.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from octotui.tui.log_tail import KEPT_LINES, LogLine, Severity
from octotui.tui.widgets.log_tally import LogTally

#: Lines around each hit of a filter that are shown with it when asked for.
AROUND: Final = 3


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are shown: of this node (empty: all), at least this bad, with this text.

    ``text`` between slashes is a regular expression; else small and capital letters are alike.
    """

    node: str = ""
    severity: Severity = Severity.DEBUG
    text: str = ""

    def test(self) -> Callable[[LogLine], bool]:
        """The filter as a function. Raises ValueError for a regular expression that is none."""
        node, severity = self.node, self.severity
        finds = finder(self.text)

        def shows(line: LogLine) -> bool:
            return (
                line.severity >= severity
                and (not node or line.node == node)
                and (finds is None or finds(line.text))
            )

        return shows


def pattern(text: str) -> re.Pattern[str] | None:
    """What to look for, None for an empty text. Raises ValueError, in words for a person."""
    if not text:
        return None
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        try:
            return re.compile(text[1:-1], re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"{text} is no regular expression: {error}") from error
    return re.compile(re.escape(text), re.IGNORECASE)


def finder(text: str) -> Callable[[str], bool] | None:
    """Whether a line's text has this in it, as a function; None for an empty text."""
    found = pattern(text)
    if found is None:
        return None
    if text.startswith("/") and text.endswith("/") and len(text) > 2:
        search = found.search
        return lambda line: search(line) is not None
    small = text.casefold()
    return lambda line: small in line.casefold()  # several times faster than an expression


class LogBuffer:
    """Up to ``capacity`` lines and which of them are shown."""

    def __init__(self, capacity: int = KEPT_LINES) -> None:
        self._capacity = capacity
        self.tally = LogTally()
        self._lines: list[LogLine] = []
        self._first = 0
        self._shown: list[int] = []
        self._ends: list[int] = []
        self._bad: list[int] = []
        self._gone_rows = 0
        self._width = 0
        self._lead = 0
        self._last_hit = -AROUND - 1
        self.filter = LogFilter()
        self.context = False
        self._shows = self.filter.test()

    def __len__(self) -> int:
        """Lines that are kept, shown or not."""
        return len(self._lines)

    @property
    def rows(self) -> int:
        """Rows that the shown lines take."""
        if not self._width:
            return len(self._shown)
        return self._ends[-1] - self._gone_rows if self._ends else 0

    @property
    def shown(self) -> int:
        """Lines that are shown."""
        return len(self._shown)

    def line(self, number: int) -> LogLine:
        return self._lines[number - self._first]

    def is_hit(self, number: int) -> bool:
        """Whether a shown line is there for itself, not only around another."""
        return not self.context or self._shows(self.line(number))

    def extend(self, lines: Iterable[LogLine]) -> tuple[int, int]:
        """Adds lines. Returns how many rows were added below and how many went at the top."""
        before = self.rows
        begin = self._first + len(self._lines)
        self._lines.extend(lines)
        self.tally.add(self._lines[begin - self._first :])
        self._admit_all(begin)
        added = self.rows - before
        return added, self._forget()

    def clear(self) -> None:
        """Forgets every line; what is filtered stays."""
        self._lines, self._first = [], 0
        self.tally = LogTally()
        self.set_filter(self.filter, self.context)

    def take_back(self, count: int) -> bool:
        """Drops the newest lines, as if they had not come.

        False where older lines are forgotten that were there before them: then all is dropped.
        """
        complete = not self._first
        del self._lines[max(0, len(self._lines) - count) if complete else 0 :]
        self._first = 0
        self.tally.recount(self._lines)
        self._cut(bisect_left(self._shown, len(self._lines)) if complete else 0)
        self._last_hit = next(
            (number for number in reversed(self._shown) if self._shows(self.line(number))),
            -AROUND - 1,
        )
        # What was shown only because of a hit after it.
        self._cut(bisect_right(self._shown, self._last_hit + AROUND))
        return complete

    def set_filter(self, wanted: LogFilter, context: bool) -> None:
        """Shows other lines. Raises ValueError for a regular expression that is none."""
        self._shows = wanted.test()
        self.filter, self.context = wanted, context
        self._shown, self._ends, self._bad, self._gone_rows = [], [], [], 0
        self._last_hit = -AROUND - 1
        self._admit_all(self._first)

    def set_width(self, width: int, lead: int) -> None:
        """Wraps the text into this many cells a row, after ``lead`` cells; 0: a row a line."""
        if (width, lead) == (self._width, self._lead):
            return
        self._width, self._lead = width, lead
        self._ends, self._gone_rows = [], 0
        if width:
            end = 0
            for number in self._shown:
                end += self._height(number)
                self._ends.append(end)

    def at_row(self, row: int) -> tuple[int, int] | None:
        """The line in a row, and which of its rows that is; None below the last."""
        if not 0 <= row < self.rows:
            return None
        if not self._width:
            return self._shown[row], 0
        row += self._gone_rows
        index = bisect_right(self._ends, row)
        begin = self._ends[index - 1] if index else self._gone_rows
        return self._shown[index], row - begin

    def row_of(self, number: int) -> int:
        """The first row of a line, or of the next one that is shown."""
        index = bisect_left(self._shown, number)
        if not self._width:
            return index
        return (self._ends[index - 1] if index else self._gone_rows) - self._gone_rows

    def step(self, number: int, by: int) -> int | None:
        """The shown line that many lines further; the first or last one where that is beyond."""
        if not self._shown:
            return None
        index = min(max(0, bisect_left(self._shown, number) + by), len(self._shown) - 1)
        return self._shown[index]

    def find(self, test: Callable[[LogLine], bool], start: int, forward: bool) -> int | None:
        """The next shown line after ``start`` that passes, going round at the end; else None."""
        at = bisect_right(self._shown, start) if forward else bisect_left(self._shown, start)
        after, before = self._shown[at:], self._shown[:at]
        order = after + before if forward else before[::-1] + after[::-1]
        return next((number for number in order if test(self.line(number))), None)

    def between(self, first: int, last: int) -> Iterator[LogLine]:
        """Shown lines from one number to another, both with."""
        for index in range(bisect_left(self._shown, first), bisect_right(self._shown, last)):
            yield self.line(self._shown[index])

    def all_shown(self) -> Iterator[LogLine]:
        return (self.line(number) for number in self._shown)

    def bad_rows(self, height: int) -> list[Severity]:
        """For each of ``height`` equal parts of what is shown, the worst that is in it."""
        worst = [Severity.DEBUG] * height
        count = len(self._shown)
        for part in range(height if self._bad else 0):
            first, after = -(-part * count // height), -(-(part + 1) * count // height)
            if first == after:
                continue  # there are fewer lines than parts
            begin = bisect_left(self._bad, self._shown[first])
            end = bisect_right(self._bad, self._shown[after - 1])
            # Where hundreds are bad, some of them are looked at.
            some = self._bad[begin : end : max(1, (end - begin) // 20)]
            worst[part] = max((self.line(n).severity for n in some), default=Severity.DEBUG)
        return worst

    def _admit_all(self, begin: int) -> None:
        """Shows those from number ``begin`` on that are to be shown."""
        numbers = range(begin, self._first + len(self._lines))
        if self.context or self._width:
            for number in numbers:
                self._admit(number)
            return
        # Thousands of lines a tick, most often all of them: without a call for each.
        lines = self._lines[begin - self._first :]
        wanted = list(numbers)
        if self.filter != LogFilter():
            wanted = [
                number for number, line in zip(numbers, lines, strict=True) if self._shows(line)
            ]
        self._shown += wanted
        self._bad += [n for n in wanted if lines[n - begin].severity >= Severity.WARN]

    def _admit(self, number: int) -> None:
        """Shows a line if the filter wants it or a hit is near, in either direction."""
        if self._shows(self.line(number)):
            if self.context:
                last = self._shown[-1] if self._shown else -1
                for near in range(max(number - AROUND, self._first, last + 1), number):
                    self._show(near)
            self._last_hit = number
            self._show(number)
        elif self.context and number - self._last_hit <= AROUND:
            self._show(number)

    def _show(self, number: int) -> None:
        self._shown.append(number)
        if self.line(number).severity >= Severity.WARN:
            self._bad.append(number)
        if self._width:
            self._ends.append((self._ends[-1] if self._ends else 0) + self._height(number))

    def _cut(self, length: int) -> None:
        """Shows so many of the shown lines only, the oldest."""
        del self._shown[length:], self._ends[length:]
        if not length:
            self._gone_rows = 0
        del self._bad[bisect_right(self._bad, self._shown[-1] if self._shown else -1) :]

    def _height(self, number: int) -> int:
        text = self.line(number).text
        cells = len(text) if text.isascii() else cell_len(text)
        return max(1, -(-cells // max(1, self._width - self._lead)))

    def _forget(self) -> int:
        """Drops the oldest lines, some at once: rows that went at the top."""
        over = len(self._lines) - self._capacity
        # Moving all entries for each line would cost; a twentieth is slack.
        if over <= self._capacity // 20:
            return 0
        before = self.rows
        del self._lines[:over]
        self._first += over
        gone = bisect_left(self._shown, self._first)
        del self._shown[:gone]
        del self._bad[: bisect_left(self._bad, self._first)]
        if self._width and gone:
            self._gone_rows = self._ends[gone - 1]
            del self._ends[:gone]
        return before - self.rows
