"""How the log view writes lines, its bar and its last row: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size

from octotui.tui.log_tail import LogLine, Severity, local_time
from octotui.tui.widgets.log_buffer import LogBuffer
from octotui.tui.widgets.paint import Piece, fit, widths

_STYLES: Final = {
    Severity.DEBUG: "dim",
    Severity.INFO: "dim",
    Severity.WARN: "warn",
    Severity.ERROR: "bad",
}
#: At the edges of a row: its line goes on beyond them.
BACK: Final = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
ON: Final = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"

#: In the bar: glyphs tell errors from warnings where colours do not.
_TICKS: Final = {Severity.WARN: ("!", "warn"), Severity.ERROR: ("✗", "bad")}


def log_text(line: LogLine) -> str:
    """A line as it is copied and saved."""
    if not line.at and not line.node:
        return line.text
    return f"{line.at} {line.severity.name:<5} {line.node} {line.text}"


class LineLayout:
    """What stands before the text of a line, and what is seen of a long text.

    ``bare``: nothing stands before it. ``wrapped``: it takes several rows; else ``left`` letters of
    it lie left of the screen.
    """

    def __init__(self, bare: bool) -> None:
        self.wrapped = False
        self.left = 0
        self._bare = bare
        self._node_width = 3

    @property
    def lead(self) -> int:
        """Cells before the text: time, severity, node."""
        return 0 if self._bare else 8 + 1 + 5 + 1 + self._node_width + 1

    def make_room(self, lines: Iterable[LogLine]) -> bool:
        """For the names of their nodes. True: the text begins elsewhere from now on."""
        before = self._node_width
        self._node_width = max(before, min(16, max(len(line.node) for line in lines)))
        return self._node_width != before

    def wrap(self, wrapped: bool) -> None:
        self.wrapped, self.left = wrapped, 0

    def show(self, hit: re.Match[str] | None, width: int) -> None:
        """Shifts lines of so many cells that take one row, so that a hit is seen in them."""
        room = width - self.lead
        if hit is None or self.wrapped:
            return
        # Between the marks at both edges, too.
        if not (self.left + bool(self.left) <= hit.start() and hit.end() < self.left + room):
            self.left = 0 if hit.end() < room else max(0, hit.start() - room // 3)

    def pieces(
        self, line: LogLine, part: int, width: int, wanted: re.Pattern[str] | None, faint: bool
    ) -> list[Piece]:
        """Row ``part`` of a line: time, severity, node, text; only text in rows after the first.

        ``faint``: shown for context only.
        """
        word, node = f"{line.severity.name:<5}", fit(line.node, self._node_width)
        lead = "" if self._bare else f"{local_time(line.at)} {word} {node} "
        room = max(1, width - len(lead))
        if self.wrapped:
            rows = chop_cells(line.text, room) if len(line.text) else [""]
            text = rows[part] if part < len(rows) else ""
        else:
            text = _cut(line.text, self.left, room)
        plain = "dim" if faint or line.severity is Severity.DEBUG else "plain"
        if self._bare:
            style = plain if faint or line.severity <= Severity.INFO else _STYLES[line.severity]
            return _with_hits(text, style, wanted)
        if part:
            pieces: list[Piece] = [(" " * len(lead), "plain")]
        elif faint or line.severity <= Severity.INFO:
            pieces = [(lead, "dim")]  # one style less is fewer bytes, and most lines are like this
        else:
            style = _STYLES[line.severity]
            pieces = [(lead[:9], "dim"), (word, style), (f" {node} ", "dim")]
        return pieces + _with_hits(text, plain, wanted)


def _cut(text: str, left: int, room: int) -> str:
    """What is seen of a line that takes one row, with a mark at each edge that it goes beyond."""
    shown = text[left : left + room + 1]
    if cell_len(shown) > room:
        shown = set_cell_size(shown, room - 1) + ON
    return BACK + shown[1:] if left and text else shown


def _with_hits(text: str, plain: str, wanted: re.Pattern[str] | None) -> list[Piece]:
    if wanted is None:
        return [(text, plain)]
    pieces, at = [], 0
    for hit in wanted.finditer(text):
        pieces += [(text[at : hit.start()], plain), (hit.group(), "hit")]
        at = hit.end()
    return [*pieces, (text[at:], plain)]


def bar(buffer: LogBuffer, top: int, height: int) -> list[Piece]:
    """The bar at the right: where the screen is in what is shown, and where errors are."""
    cells: list[Piece] = [(" ", "dim")] * height
    rows = buffer.rows
    if rows > height:
        size = max(1, height * height // rows)
        begin = (height - size) * top // (rows - height)
        cells[begin : begin + size] = [("█", "dim")] * size
    for y, severity in enumerate(buffer.bad_rows(min(rows, height))):
        if severity in _TICKS:
            cells[y] = _TICKS[severity]
    return cells


def status_line(
    buffer: LogBuffer,
    following: bool,
    new: int,
    wanted: str,
    note: str,
    selecting: bool,
    width: int,
) -> list[Piece]:
    """The last row: whether it follows, what is filtered, what is searched for; in short words

    where the long ones do not fit.
    """
    if not len(buffer):
        return [("no lines yet", "dim")]
    for long in (True, False):
        pieces: list[Piece] = [("▼ follow", "good")] if following else [("● paused", "warn")]
        if not following and new:
            pieces.append((f"  {new} new below, end follows" if long else f"  {new} new", "warn"))
        if note:
            pieces.append((f"  {note}", "warn"))
        if selecting:
            pieces.append(("  selecting, y copies", "busy"))
        pieces += _filter_words(buffer, long)
        if wanted:
            text = f"  search {wanted}, n next, N previous" if long else f"  /{wanted}"
            pieces.append((text, "dim"))
        if widths(pieces) <= width:
            break
    return pieces


def _filter_words(buffer: LogBuffer, long: bool) -> list[Piece]:
    chosen = buffer.filter
    words = []
    if chosen.node:
        words.append(f"node {chosen.node}" if long else chosen.node)
    if chosen.severity > Severity.DEBUG:
        words.append(f"{chosen.severity.name} and worse" if long else f"{chosen.severity.name}+")
    if chosen.text:
        around = (" and what is around" if long else " ±") if buffer.context else ""
        words.append(f"with {chosen.text}{around}")
    if not words:
        return []
    # A count that changes with every line would be sent with every line: only of filtered ones.
    count = f"{buffer.shown} of {len(buffer)} lines" if long else f"{buffer.shown}/{len(buffer)}"
    return [(f"  {count}", "dim"), ("".join(f"  {word}" for word in words), "busy")]
