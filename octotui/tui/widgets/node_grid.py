"""The nodes of a run in columns, painted on one canvas: a hundred cost what ten do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from octotui.tui.widgets.node_cells import BLANK, Columns, Widths, cell, lay_out, widths_of
from octotui.tui.widgets.node_heading import heading
from octotui.tui.widgets.node_rows import Row, Sort, rows
from octotui.tui.widgets.paint import CSS, STYLES, Piece, changed, strip
from octotui.view import RunView

_SORTS: Final[tuple[Sort, ...]] = get_args(Sort)


class NodeGrid(ScrollView, can_focus=True):
    """Glyph, name, version, what is done or waited for, how long, serving or stopped.

    Where there are more nodes than lines they lie in columns, as far as each is readable, and run
    down one after the other. Scrolled by a line, every node goes on by one place. The cursor stays
    on its node when the order changes.
    """

    @dataclass
    class Chosen(Message):
        """Enter or a click on a node."""

        node: str

    @dataclass
    class Sorted(Message):
        """The nodes are sorted by this from now on."""

        sort: Sort

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = "NodeGrid { overflow-x: hidden; " + CSS + "}"
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False, id="nodes.up", tooltip="The node above"),
        Binding("down,j", "move(1)", "Down", show=False, id="nodes.down", tooltip="The node below"),
        Binding("left", "aside(-1)", "Left", show=False, id="nodes.left",
                tooltip="The column before"),
        Binding("right", "aside(1)", "Right", show=False, id="nodes.right",
                tooltip="The next column"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="nodes.page-up",
                tooltip="A page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="nodes.page-down",
                tooltip="A page down"),
        Binding("home", "move(-1000000)", "First", show=False, id="nodes.first",
                tooltip="The first node"),
        Binding("end", "move(1000000)", "Last", show=False, id="nodes.last",
                tooltip="The last node"),
        Binding("enter", "choose", "Open node", show=False, id="nodes.choose",
                tooltip="Everything about this node"),
        Binding("s", "sort", "Sort", show=False, id="nodes.sort",
                tooltip="By state, by name, by version"),
    ]  # fmt: skip

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.sort: Sort = "state"
        self.filter = ""
        self._rows: list[Row] = []
        self._widths = Widths()
        self._columns = Columns()
        self._node = ""
        self._told: tuple[RunView, float, bool] | None = None

    @property
    def node(self) -> str:
        """The node under the cursor; empty while there is none."""
        return self._node

    def show(self, view: RunView, now: float, alive: bool = True) -> None:
        """Shows the nodes as they are now, epoch seconds; repaints the cells that differ.

        ``alive``: a process works on the run, so that what runs goes on.
        """
        self._told = (view, now, alive)
        self._take(rows(view, now, self.sort, self.filter, alive=alive))
        if (title := heading(self._rows, len(view.nodes))) != self.border_title:
            self.border_title = title
        if (order := f"by {self.sort}") != self.border_subtitle:
            self.border_subtitle = order

    def narrow(self, text: str) -> None:
        """Leaves only nodes that have this text in their line; all for an empty one."""
        self.filter = text
        self._again()

    def action_sort(self) -> None:
        self.sort = _SORTS[(_SORTS.index(self.sort) + 1) % len(_SORTS)]
        self._again()
        self.post_message(self.Sorted(self.sort))

    def action_move(self, by: int) -> None:
        if self._rows:
            self._go(min(max(0, self._cursor + by), len(self._rows) - 1))

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self._columns.places - 1))

    def action_aside(self, by: int) -> None:
        """To the node beside, or the last one where the next column is shorter than that."""
        rows = self._columns.rows
        there, last = self._cursor + by * rows, len(self._rows) - 1
        if there > last and (last - self._top) // rows > (self._cursor - self._top) // rows:
            there = last
        if 0 <= there <= last:
            if self._columns.hidden and not self._is_seen(there):
                self._scroll(self._top + by * self._columns.rows)
            self._go(there)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key is told that would do nothing now."""
        return action != "aside" or self._columns.count > 1

    def action_choose(self) -> None:
        if self._node:
            self.post_message(self.Chosen(self._node))

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        place = self._columns.place(at.x, at.y) if at else None
        if place is not None and self._top + place < len(self._rows):
            self._go(self._top + place)
            self.action_choose()

    def on_focus(self) -> None:
        self._paint(self._cursor)

    def on_blur(self) -> None:
        self._paint(self._cursor)

    def on_resize(self) -> None:
        was_seen = self._is_seen(self._cursor)
        self._lay_out()
        if was_seen and self._node:
            self._bring_into_sight(self._cursor)  # keys act on it

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if not self._rows:
            note = "no node has this in its line" if y == 0 and self.filter else ""
            return strip(self, [(note, "dim")], width)
        shown = self._columns.line(self._rows, self._top, y)
        here = next((n for n, row in enumerate(shown) if row.name == self._node), None)
        if here is None or not self.has_focus:
            return strip(self, self._pieces(shown), width)
        left, each = self._columns.left(here), self._columns.width
        before = strip(self, self._pieces(shown[:here]), left)
        cursor = strip(self, self._pieces(shown[here : here + 1]), each, "cursor")
        after = [BLANK, *self._pieces(shown[here + 1 :])]
        return Strip.join([before, cursor, strip(self, after, width - left - each)])

    @property
    def _cursor(self) -> int:
        return next((n for n, row in enumerate(self._rows) if row.name == self._node), 0)

    @property
    def _top(self) -> int:
        """So many nodes are scrolled by."""
        return min(self.scroll_offset.y, self._columns.hidden)

    def _pieces(self, shown: Sequence[Row]) -> list[Piece]:
        """Nodes that lie side by side."""
        pieces: list[Piece] = []
        for row in shown:
            pieces += [BLANK] * bool(pieces)
            pieces += cell(row, self._widths, self._columns.width)
        return pieces

    def _is_seen(self, index: int) -> bool:
        return self._top <= index < self._top + self._columns.places

    def _again(self) -> None:
        if self._told:
            self.show(*self._told)

    def _take(self, new: list[Row]) -> None:
        old, self._rows = self._rows, new
        was, names = self._node, {row.name for row in new}
        if self._node not in names:
            self._node = new[0].name if new else ""
        if self._lay_out() or len(old) != len(new) or was != self._node:
            self.refresh()
            return
        if regions := list(self._differences(old, new)):
            self.refresh(*regions)

    def _lay_out(self) -> bool:
        """Gives the nodes their places. True: they are others than before."""
        before = (self._widths, self._columns)
        self._widths = widths_of(self._rows)
        scrollbar = self.styles.scrollbar_size_vertical
        columns = lay_out(len(self._rows), self._widths, self.size, scrollbar)
        self._columns = columns
        # A line of it for every node that is scrolled by.
        self.virtual_size = Size(self.size.width, columns.rows + columns.hidden)
        return before != (self._widths, columns)

    def _differences(self, old: list[Row], new: list[Row]) -> Iterator[Region]:
        """Where what is in sight is something else than before, a region a line at most."""
        columns, top = self._columns, self._top
        for y in range(columns.rows):
            before, after = columns.line(old, top, y), columns.line(new, top, y)
            found = [
                region.translate((columns.left(n), 0))
                for n, (one, other) in enumerate(zip(before, after, strict=True))
                if one is not other and one != other
                for region in self._difference(one, other, y)
            ]
            if found:
                yield Region.from_union(found)

    def _difference(self, before: Row, after: Row, y: int) -> list[Region]:
        width = self._columns.width
        if before.name != after.name:
            return [Region(0, y, width, 1)]
        old, new = (cell(row, self._widths, width) for row in (before, after))
        return changed(old, new, y, width)

    def _go(self, index: int) -> None:
        before = self._cursor
        self._node = self._rows[index].name
        self._paint(before)
        self._paint(index)
        self._bring_into_sight(index)

    def _bring_into_sight(self, index: int) -> None:
        if not self._is_seen(index):
            below = index >= self._top
            self._scroll(index - self._columns.places + 1 if below else index)

    def _scroll(self, top: int) -> None:
        # Forced: the bar is only there after the next layout.
        self.scroll_to(y=top, animate=False, force=True)

    def _paint(self, index: int) -> None:
        """Paints a node again, where that is in sight."""
        if self._is_seen(index):
            self.refresh(self._columns.region(index - self._top))
