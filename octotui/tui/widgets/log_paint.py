"""How the log view writes lines, its bar and its last row: pure."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import chop_cells

from octotui.tui.log_tail import LogLine, Severity, local_time
from octotui.tui.widgets.log_buffer import LogBuffer
from octotui.tui.widgets.paint import Piece, fit

_STYLES: Final = {
    Severity.DEBUG: "dim",
    Severity.INFO: "dim",
    Severity.WARN: "warn",
    Severity.ERROR: "bad",
}
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
        text = line.text[left : left + room]
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
    buffer: LogBuffer, following: bool, new: int, wanted: str, note: str, selecting: bool
) -> list[Piece]:
    """The last row: whether it follows, what is filtered, what is searched for."""
    if not len(buffer):
        return [("no lines yet", "dim")]
    pieces: list[Piece] = [("▼ follow", "good")] if following else [("● stands", "warn")]
    if not following and new:
        pieces.append((f"  {new} new below, end follows", "warn"))
    if note:
        pieces.append((f"  {note}", "warn"))
    if selecting:
        pieces.append(("  selecting, y copies", "busy"))
    chosen = buffer.filter
    if chosen.node:
        pieces.append((f"  node {chosen.node}", "busy"))
    if chosen.severity > Severity.DEBUG:
        pieces.append((f"  {chosen.severity.name} and worse", "busy"))
    if chosen.text:
        pieces.append((f"  with {chosen.text}", "busy"))
        if buffer.context:
            pieces.append((" and what is around", "busy"))
    # A count that changes with every line would be sent with every line: only of filtered ones.
    if chosen.node or chosen.severity > Severity.DEBUG or chosen.text:
        pieces.append((f"  {buffer.shown} of {len(buffer)} lines", "dim"))
    if wanted:
        pieces.append((f"  search {wanted}, n next, N previous", "dim"))
    return pieces
