"""Which rows of a log are looked at, and where the cursor stands in it. No screen here."""

from __future__ import annotations

from octotui.tui.log_tail import LogLine
from octotui.tui.widgets.log_buffer import LogBuffer


class LogWindow:
    """``page`` rows of what a buffer shows, from row ``top`` on.

    ``following``: the newest line is looked at; ``new`` rows came below since it is not. ``cursor``
    is a line's number, None while following; from ``anchor`` to it lines are selected.
    """

    def __init__(self, buffer: LogBuffer) -> None:
        self._buffer = buffer
        self.page = 0
        self.follow()

    def follow(self) -> None:
        """Goes to the newest line; from now on those that come are shown."""
        self.following = True
        self.cursor: int | None = None
        self.anchor: int | None = None
        self.new = 0
        self.scroll(self._buffer.rows)

    def scroll(self, row: int) -> None:
        self.top = min(max(0, row), max(0, self._buffer.rows - self.page))

    def go(self, number: int) -> None:
        """Puts the cursor on a line, stops following, and shows it."""
        self.following, self.cursor = False, number
        row = self._buffer.row_of(number)
        if row < self.top:
            self.scroll(row)
        elif row >= self.top + self.page:
            self.scroll(row - self.page + 1)

    def go_to_row(self, row: int) -> None:
        """The same, by the row that a line is in; nothing where there is none."""
        place = self._buffer.at_row(row)
        if place:
            self.go(place[0])

    def move(self, by: int) -> None:
        """The cursor up or down; below the last line it follows."""
        if self.cursor is None:
            if by < 0:
                self.go_to_row(min(self.top + self.page, self._buffer.rows) - 1)
            return
        there = self._buffer.step(self.cursor, by)
        if there is None or (by > 0 and there == self.cursor):
            self.follow()
        else:
            self.go(there)

    def turn(self, by: int) -> None:
        """A page up or down; below the last one it follows."""
        if by > 0 and self.top + self.page >= self._buffer.rows:
            self.follow()
            return
        self.scroll(self.top + by * self.page)
        self.go_to_row(self.top)

    def select(self) -> None:
        """Begins a selection at the cursor, or gives it up."""
        if self.cursor is None:
            self.move(-1)
        self.anchor = self.cursor if self.anchor is None else None

    def is_selected(self, number: int) -> bool:
        """Whether a line is selected, or is the cursor's."""
        if self.cursor is None:
            return False
        anchor = self.cursor if self.anchor is None else self.anchor
        return min(anchor, self.cursor) <= number <= max(anchor, self.cursor)

    def take_selected(self) -> list[LogLine]:
        """The selected lines, the cursor's, or the newest; the selection ends."""
        cursor = self.cursor
        if cursor is None:
            place = self._buffer.at_row(self._buffer.rows - 1)
            if place is None:
                return []
            cursor = place[0]
        first, last = sorted((cursor, cursor if self.anchor is None else self.anchor))
        self.anchor = None
        return list(self._buffer.between(first, last))

    def start(self, forward: bool) -> int:
        """The line after or before which a search begins: the cursor's, while following the end."""
        if self.cursor is not None:
            return self.cursor
        place = self._buffer.at_row(self._buffer.rows - 1)
        return (place[0] if place else 0) + (0 if forward else 1)

    def extended(self, added: int, gone: int) -> bool:
        """Rows were added below, and went at the top. True: what is looked at is another text."""
        if self.following:
            self.scroll(self._buffer.rows)
            return bool(added or gone)
        self.new += added
        moved = self.top - gone
        self.scroll(moved)
        self._keep_cursor()
        return moved < 0

    def taken_back(self, rows: int) -> None:
        """So many rows were taken out below."""
        self.new = max(0, self.new - rows)
        self.anchor = None
        self._keep_cursor()
        self.following = self.following or not self._buffer.rows
        self.scroll(self._buffer.rows if self.following else self.top)

    def filtered(self) -> None:
        """Other lines are shown: the cursor goes to what is left near it."""
        self._keep_cursor()
        if self.cursor is None:
            self.following = True

    def laid_out(self, looked_at: int | None) -> None:
        """Lines take other rows: the line that was looked at stays."""
        if self.following:
            self.scroll(self._buffer.rows)
        elif self.cursor is not None:
            self.go(self.cursor)
        else:
            self.scroll(self._buffer.row_of(looked_at) if looked_at is not None else 0)

    def _keep_cursor(self) -> None:
        if self.cursor is not None:
            self.cursor = self._buffer.step(self.cursor, 0)
