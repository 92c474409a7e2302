"""Painting lines of cells: pieces of text with a style, cut to a width, and what changed in them.

All widgets here paint by lines and repaint only what differs: over a slow connection the area
that is sent is the one cost that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.log_tail import printable

#: A piece of a line: its text and the name of its style, one of ``STYLES``.
Piece: TypeAlias = tuple[str, str]

#: Component classes of every widget here; states are told by glyph and word as well.
STYLES: Final = ("plain", "dim", "good", "busy", "warn", "bad", "cursor", "hit")

#: What the styles look like, by the theme's own variables.
CSS: Final = """
    & > .dim { color: $text-muted; }
    & > .good { color: $text-success; }
    & > .busy { color: $text-accent; }
    & > .warn { color: $text-warning; text-style: bold; }
    & > .bad { color: $text-error; text-style: bold; }
    & > .cursor { text-style: reverse; }
    & > .hit { text-style: underline bold; }
"""


def fit(text: str, width: int) -> str:
    """The text in exactly this many cells, with a mark where it was cut."""
    if width <= 0:
        return ""
    text = printable(text)
    if text.isascii() and len(text) <= width:
        return text.ljust(width)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…"


def style_of(widget: Widget, name: str) -> Style:
    """A style by its name, over the widget's own colours."""
    # "plain" too: Textual keeps the styles of components, and works out a widget's own each time.
    return widget.get_component_rich_style(name)


def strip(widget: Widget, pieces: Sequence[Piece], width: int, over: str = "") -> Strip:
    """A line of exactly this width. ``over`` names a style laid over all of it."""
    extra = widget.get_component_rich_style(over, partial=True) if over else None
    blank = style_of(widget, "plain")
    if extra:
        blank += extra
    segments, length = [], 0
    for text, name in pieces:
        if text:
            style = style_of(widget, name)
            text = printable(text)
            segments.append(Segment(text, style + extra if extra else style))
            length += len(text) if text.isascii() else cell_len(text)
    # Most lines are too short: filled up here, one strip is made and not two.
    if length < width:
        segments.append(Segment(" " * (width - length), blank))
        length = width
    return Strip(segments, length).adjust_cell_length(width, blank)


def changed(old: Sequence[Piece], new: Sequence[Piece], y: int, width: int) -> list[Region]:
    """Where two versions of a line differ, from the first such cell to the last; or nothing.

    One region at most: Textual sends every region from the widget's left edge on, so that two
    in one line would cost its beginning twice. What ticks belongs to the left, or into a widget
    of its own.
    """
    first = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        first += 1
    if first == len(old) == len(new):
        return []
    # What is alike at the beginning is most of a line, and is not looked at cell by cell.
    x = widths(old[:first])
    cells, others = _cells(old[first:]), _cells(new[first:])
    length = min(width - x, max(len(cells), len(others)))
    cells += [(" ", "plain")] * (length - len(cells))
    others += [(" ", "plain")] * (length - len(others))
    found = [n for n in range(length) if cells[n] != others[n]]
    return [Region(x + found[0], y, found[-1] + 1 - found[0], 1)] if found else []


def _cells(pieces: Sequence[Piece]) -> list[Piece]:
    """One entry a cell; a wide character takes two, so that columns stay what they are."""
    cells: list[Piece] = []
    for text, name in pieces:
        if text.isascii():
            cells += [(letter, name) for letter in text]
            continue
        for letter in text:
            cells += [(letter, name)] * max(1, cell_len(letter))
    return cells


def widths(pieces: Sequence[Piece]) -> int:
    """The cells that a line takes."""
    return sum(len(text) if text.isascii() else cell_len(text) for text, _ in pieces)
