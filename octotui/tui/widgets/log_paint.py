"""How the log view writes lines, its bar and its last row: pure."""

from __future__ import annotations

import re
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


def line_pieces(
    line: LogLine,
    *,
    part: int,
    left: int,
    width: int,
    node_width: int | None,
    wanted: re.Pattern[str] | None,
    faint: bool,
    wrapped: bool,
) -> list[Piece]:
    """One row of a line: time, severity, node, text; only text in rows after the first.

    ``left``: letters of the text that lie left of the screen. ``faint``: shown for context only.
    ``node_width`` None: the text alone.
    """
    word, node = f"{line.severity.name:<5}", fit(line.node, node_width or 0)
    lead = "" if node_width is None else f"{local_time(line.at)} {word} {node} "
    room = max(1, width - len(lead))
    if wrapped:
        rows = chop_cells(line.text, room) if len(line.text) else [""]
        text = rows[part] if part < len(rows) else ""
    else:
        text = _cut(line.text, left, room)
    plain = "dim" if faint or line.severity is Severity.DEBUG else "plain"
    if node_width is None:
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


def shift_to(hit: re.Match[str], left: int, room: int) -> int:
    """How far to shift a line that takes one row, so that a hit is seen between the marks."""
    if left + bool(left) <= hit.start() and hit.end() < left + room:
        return left
    return 0 if hit.end() < room else max(0, hit.start() - room // 3)


def round_words(start: int, found: int, forward: bool) -> str:
    """What to say of a hit that was found beyond the end of the lines; else nothing."""
    if found == start:
        return "no other one"
    if (found < start) == forward:
        return "from the top" if forward else "from the end"
    return ""


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
