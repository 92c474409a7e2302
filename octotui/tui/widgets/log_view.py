"""The log of one or all nodes: follows, filters, finds, wraps, copies. Painted by lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.widgets.log_buffer import CAPACITY, LogBuffer, LogFilter, finder, pattern
from octotui.tui.widgets.log_keys import KEYS
from octotui.tui.widgets.log_paint import bar, line_pieces, log_text, status_line
from octotui.tui.widgets.paint import CSS, STYLES, Piece, strip


class LogView(Widget, can_focus=True):
    """Up to a hundred thousand lines. The last row says what is shown.

    ``bare``: the text alone, of lines that have no time and node of ours.

    No ScrollView: its size would change with every line, and each time the whole screen would be
    laid out again.
    """

    @dataclass
    class Copied(Message):
        """A text for the clipboard; ``lines`` counts its lines."""

        text: str
        lines: int

    @dataclass
    class Wrapped(Message):
        """Long lines take several rows from now on, or are cut."""

        wrapped: bool

    class SaveWanted(Message):
        """What is shown is to be saved: answer with ``save``."""

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = "LogView { " + CSS + "}"
    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    def __init__(
        self,
        *,
        capacity: int = CAPACITY,
        bare: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._bare = bare
        self.buffer = LogBuffer(capacity)
        self.following = True
        self.wrapped = False
        self._top = self._left = self._new = 0
        self._node_width = 3
        self._cursor: int | None = None
        self._anchor: int | None = None
        self._wanted = ""
        self._note = ""
        self._bar: list[Piece] = []
        self._status: list[Piece] = []

    def extend(self, lines: Sequence[LogLine]) -> None:
        """Adds lines that came. What a person looks at stays where it is."""
        if not lines:
            return
        node_width = max(self._node_width, min(16, max(len(line.node) for line in lines)))
        if node_width != self._node_width:
            self._node_width = node_width
            self._lay_out()
        added, gone = self.buffer.extend(lines)
        if self.following:
            self._scroll(self.buffer.rows)
            if added or gone:
                self._paint_text()
        else:
            self._new += added
            moved = self._top - gone
            self._scroll(moved)
            if moved < 0:
                self._paint_text()  # what was looked at is gone
            if self._cursor is not None:
                self._cursor = self.buffer.step(self._cursor, 0)
        self._paint_frame()

    def clear(self) -> None:
        """Begins anew, without any line; filter and search stay."""
        self.buffer.clear()
        self.following, self._cursor, self._anchor, self._new = True, None, None, 0
        self._lay_out()

    def show_cause(self) -> None:
        """Goes to the first error, where there is one: the others mostly come of it."""
        first = self.buffer.find(lambda line: line.severity >= Severity.ERROR, -1, forward=True)
        if first is not None:
            self._go(first)

    def take_back(self, count: int) -> bool:
        """Takes out the newest lines again. False: all are out, for older ones are forgotten."""
        before = self.buffer.rows
        complete = self.buffer.take_back(count)
        self._new = max(0, self._new - (before - self.buffer.rows))
        self._anchor = None
        if self._cursor is not None:
            self._cursor = self.buffer.step(self._cursor, 0)
        self.following = self.following or not self.buffer.rows
        self._scroll(self.buffer.rows if self.following else self._top)
        self._paint_text()
        self._paint_frame()
        return complete

    def wrap(self, wrapped: bool) -> None:
        """Long lines take several rows, or are cut."""
        self.wrapped, self._left = wrapped, 0
        self._lay_out()

    def show_only(
        self, *, node: str | None = None, severity: Severity | None = None, text: str | None = None
    ) -> None:
        """Filters; what is not named stays. Raises ValueError for a faulty regular expression."""
        wanted: LogFilter = self.buffer.filter
        if node is not None:
            wanted = replace(wanted, node=node)
        if severity is not None:
            wanted = replace(wanted, severity=severity)
        if text is not None:
            wanted = replace(wanted, text=text)
        self._refilter(wanted, self.buffer.context)

    def search(self, text: str) -> bool:
        """Goes to the newest line with this text at or above the cursor. False: there is none.

        Raises ValueError for a faulty regular expression; an empty text ends the search.
        """
        pattern(text)
        self._wanted = text
        self._note = ""
        found = bool(text) and self._seek(forward=False)
        self._paint_text()
        self._paint_frame()
        return found

    def save(self, path: Path) -> int:
        """Writes what is shown to a file and returns how many lines that were. Raises OSError."""
        with path.open("w", encoding="utf-8") as file:
            file.writelines(log_text(line) + "\n" for line in self.buffer.all_shown())
        return self.buffer.shown

    def action_move(self, by: int) -> None:
        if self._cursor is None:
            place = self.buffer.at_row(min(self._top + self._page, self.buffer.rows) - 1)
            if place is None or by > 0:
                return
            self._go(place[0])
            return
        there = self.buffer.step(self._cursor, by)
        if there is None or (by > 0 and there == self._cursor):
            self.action_follow()
        else:
            self._go(there)

    def action_page(self, by: int) -> None:
        if by > 0 and self._top + self._page >= self.buffer.rows:
            self.action_follow()
            return
        self._scroll(self._top + by * self._page)
        place = self.buffer.at_row(self._top)
        if place:
            self._go(place[0])

    def action_first(self) -> None:
        place = self.buffer.at_row(0)
        if place:
            self._go(place[0])

    def action_follow(self) -> None:
        """The newest line; from now on those that come are shown."""
        self.following, self._cursor, self._anchor, self._new, self._note = True, None, None, 0, ""
        self._scroll(self.buffer.rows)
        self._paint_text()
        self._paint_frame()

    def action_shift(self, by: int) -> None:
        if not self.wrapped:
            self._left = max(0, self._left + by * self.size.width // 2)
            self._paint_text()

    def action_next_hit(self) -> None:
        self._seek(forward=True)

    def action_previous_hit(self) -> None:
        self._seek(forward=False)

    def action_next_bad(self, by: int) -> None:
        start = self._start(by > 0)
        found = self.buffer.find(lambda line: line.severity >= Severity.WARN, start, by > 0)
        if found is None:
            self._note = "no error and no warning"
            self._paint_frame()
        else:
            self._go(found)

    def action_wrap(self) -> None:
        self.wrap(not self.wrapped)
        self.post_message(self.Wrapped(self.wrapped))

    def action_context(self) -> None:
        self._refilter(self.buffer.filter, not self.buffer.context)

    def action_select(self) -> None:
        if self._cursor is None:
            self.action_move(-1)
        self._anchor = self._cursor if self._anchor is None else None
        self._paint_text()
        self._paint_frame()

    def action_copy(self) -> None:
        cursor = self._cursor
        if cursor is None:
            place = self.buffer.at_row(self.buffer.rows - 1)
            if place is None:
                return
            cursor = place[0]
        first, last = sorted((cursor, cursor if self._anchor is None else self._anchor))
        lines = [log_text(line) for line in self.buffer.between(first, last)]
        self._anchor = None
        self._paint_text()
        self.post_message(self.Copied("\n".join(lines), len(lines)))

    def action_save(self) -> None:
        self.post_message(self.SaveWanted())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_page(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_page(1)

    def on_resize(self) -> None:
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= self._page:
            return strip(self, self._status, width)
        tick = self._bar[y] if y < len(self._bar) else (" ", "dim")
        place = self.buffer.at_row(self._top + y)
        if place is None:
            return strip(self, [(" " * (width - 1), "plain"), tick], width)
        number, part = place
        text_width = width - 1
        pieces = line_pieces(
            self.buffer.line(number),
            part=part,
            left=self._left,
            width=text_width,
            node_width=None if self._bare else self._node_width,
            wanted=pattern(self._wanted),
            faint=not self.buffer.is_hit(number),
            wrapped=self.wrapped,
        )
        over = "cursor" if self._is_marked(number) else ""
        return Strip.join([strip(self, pieces, text_width, over), strip(self, [tick], 1)])

    @property
    def _page(self) -> int:
        """Rows for lines: all but the last, which says what is shown."""
        return max(0, self.size.height - 1)

    def _is_marked(self, number: int) -> bool:
        if self._cursor is None or not self.has_focus:
            return False
        anchor = self._cursor if self._anchor is None else self._anchor
        return min(anchor, self._cursor) <= number <= max(anchor, self._cursor)

    def _start(self, forward: bool) -> int:
        """Where a search begins: at the cursor, while following at the end."""
        if self._cursor is not None:
            return self._cursor
        place = self.buffer.at_row(self.buffer.rows - 1)
        return (place[0] if place else 0) + (0 if forward else 1)

    def _seek(self, forward: bool) -> bool:
        finds = finder(self._wanted)
        if finds is None:
            return False
        found = self.buffer.find(lambda line: finds(line.text), self._start(forward), forward)
        self._note = "" if found is not None else f"nothing has {self._wanted}"
        if found is not None:
            self._go(found)
        self._paint_frame()
        return found is not None

    def _go(self, number: int) -> None:
        """Puts the cursor on a line, stops following, and shows it."""
        self.following, self._cursor, self._note = False, number, ""
        row = self.buffer.row_of(number)
        if row < self._top:
            self._scroll(row)
        elif row >= self._top + self._page:
            self._scroll(row - self._page + 1)
        self._paint_text()
        self._paint_frame()

    def _refilter(self, wanted: LogFilter, context: bool) -> None:
        self.buffer.set_filter(wanted, context)
        self._note = ""
        if self._cursor is not None:
            self._cursor = self.buffer.step(self._cursor, 0)
        if self._cursor is None:
            self.following = True
        self._lay_out()

    def _lay_out(self) -> None:
        """After anything that changes which rows there are: keeps the line that is looked at."""
        lead = 0 if self._bare else 8 + 1 + 5 + 1 + self._node_width + 1
        place = self.buffer.at_row(self._top)
        width = max(lead + 8, self.size.width - 1) if self.wrapped and self.size else 0
        self.buffer.set_width(width, lead)
        if self.following:
            self._scroll(self.buffer.rows)
        elif self._cursor is not None:
            self._go(self._cursor)
        else:
            self._scroll(self.buffer.row_of(place[0]) if place else 0)
        self._bar, self._status = [], []
        self._paint_frame()
        self.refresh()

    def _scroll(self, row: int) -> None:
        self._top = min(max(0, row), max(0, self.buffer.rows - self._page))

    def _paint_text(self) -> None:
        self.refresh(Region(0, 0, max(1, self.size.width - 1), max(1, self._page)))

    def _paint_frame(self) -> None:
        """The bar at the right and the line below, where they changed."""
        page, width = self._page, self.size.width
        if not self.is_mounted or page < 1:
            return
        old, self._bar = self._bar, bar(self.buffer, self._top, page)
        regions = [
            Region(width - 1, y, 1, 1)
            for y in range(page)
            if y >= len(old) or old[y] != self._bar[y]
        ]
        status = status_line(
            self.buffer,
            self.following,
            self._new,
            self._wanted,
            self._note,
            self._anchor is not None,
        )
        if status != self._status:
            self._status = status
            regions.append(Region(0, page, width, 1))
        if regions:
            self.refresh(*regions)
