"""How the nodes lie on their canvas: columns of cells, and what a cell says in its width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from textual.geometry import Region, Size

from octotui.tui.widgets.node_rows import Row
from octotui.tui.widgets.paint import Piece, fit

#: Cells between two columns, besides the blank that a node's line ends with.
GAP: Final = 1
BLANK: Final[Piece] = (" " * GAP, "plain")
#: What happens on a node is told in so many cells at least: more columns are made of no less.
LEAST_DOING: Final = 20
#: "serving", "stopped", "unknown" and a blank.
_SERVICE: Final = 8
#: There is a version in so wide a cell; where so much is left to what is done all else, or a part.
_WITH_VERSION: Final = 60
_WITH_ALL: Final = 12
_WITH_PART: Final = 17


@dataclass(frozen=True, slots=True)
class Widths:
    """The cells that name, version and time of every node fit in."""

    name: int = 0
    version: int = 0
    time: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """``count`` columns of ``rows`` nodes, ``width`` cells each; the nodes run down one by one.

    ``hidden``: so many nodes are out of sight, and reached by scrolling, a node a line.
    """

    count: int = 1
    rows: int = 1
    width: int = 0
    hidden: int = 0

    @property
    def places(self) -> int:
        """Nodes that are seen at once."""
        return self.count * self.rows

    def line(self, found: Sequence[Row], top: int, y: int) -> Sequence[Row]:
        """The nodes in line ``y``, one of each column, where ``top`` nodes are scrolled by."""
        return found[top + y : top + self.places : self.rows] if y < self.rows else ()

    def region(self, place: int) -> Region:
        """Where the node is that is so many after the first one in sight."""
        column, row = divmod(place, self.rows)
        return Region(self.left(column), row, self.width, 1)

    def left(self, column: int) -> int:
        return column * (self.width + GAP)

    def place(self, x: int, y: int) -> int | None:
        """The place at a cell of the canvas; None beside the columns and below them."""
        column = x // (self.width + GAP)
        return column * self.rows + y if column < self.count and y < self.rows else None


def lay_out(nodes: int, widths: Widths, size: Size, scrollbar: int) -> Columns:
    """As few columns as show all nodes, so that each says as much as it can; or all that can be.

    A ``scrollbar`` takes so many cells where nodes stay hidden.
    """
    width, height = size.width, max(1, size.height)
    needed = max(1, -(-nodes // height))
    count = min(needed, _most(widths, width))
    if count < needed:
        width -= scrollbar
        count = _most(widths, width)
    rows = min(height, max(1, -(-nodes // count)))
    each = (width + GAP) // count - GAP
    return Columns(count, rows, each, max(0, nodes - count * rows))


def _most(widths: Widths, width: int) -> int:
    """How many columns there can be that are readable."""
    least = 2 + widths.name + 1 + LEAST_DOING + 1
    return max(1, (width + GAP) // (least + GAP))


def widths_of(found: Sequence[Row]) -> Widths:
    """What all rows need."""
    name = max((len(row.name) for row in found), default=0)
    version = max((len(row.version) for row in found), default=0)
    time = max((len(row.time) for row in found), default=0)
    # A column that grew keeps a width of its own class, or 9:59 to 10:00 would repaint all.
    time = 16 if time > 13 else 13 if time > 5 else time and 5
    return Widths(min(24, name), min(16, version), time)


def cell(row: Row, widths: Widths, width: int) -> list[Piece]:
    """A node in exactly so many cells: what is done gets what the others leave.

    Where it is narrow the version goes, then of how long it is expected to take, then whether it
    serves, then how long it takes: they are left to the screen of the node.
    """
    version = widths.version + 1 if width >= _WITH_VERSION else 0
    room = width - 2 - widths.name - 1 - version
    time, service = _rest(widths, room)
    room -= time + service
    style = row.style
    pieces: list[Piece] = [(f"{row.glyph} ", style), (fit(row.name, widths.name) + " ", "plain")]
    if version:
        pieces.append((fit(row.version, widths.version) + " ", "dim"))
    doing = "plain" if style in ("busy", "good") else style
    pieces.append((fit(row.doing, room - 1) + " ", doing))
    # How long goes to the right of what.
    if time:
        taken = row.time if time > widths.time else row.time.partition(" of ")[0]
        pieces.append((fit(taken.rjust(time - 1), time - 1) + " ", "dim"))
    if service:
        words = {"serving": "good", "stopped": "plain"}.get(row.service, "dim")
        pieces.append((fit(row.service, _SERVICE), words))
    return pieces


def _rest(widths: Widths, room: int) -> tuple[int, int]:
    """Cells for how long it takes and for whether it serves, of those beside a node's name."""
    if widths.time and room - widths.time - 1 - _SERVICE > _WITH_ALL:
        return widths.time + 1, _SERVICE
    taken = widths.time and (8 if widths.time > 13 else 6)
    if room - taken < _WITH_PART:
        taken = 0
    return taken, _SERVICE if room - taken - _SERVICE >= _WITH_PART else 0
