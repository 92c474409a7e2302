"""The nodes of a run, one line each, painted on one canvas: a hundred cost what ten do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from octotui.tui.widgets.node_heading import heading
from octotui.tui.widgets.node_rows import Row, Sort, rows
from octotui.tui.widgets.paint import CSS, STYLES, Piece, changed, fit, strip
from octotui.view import RunView

_SORTS: Final[tuple[Sort, ...]] = get_args(Sort)


class NodeGrid(ScrollView, can_focus=True):
    """Glyph, name, version, what is done or waited for, how long, serving or stopped.

    The cursor stays on its node when the order changes.
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
        self._columns = _columns([])
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
        self.action_move(by * max(1, self.size.height - 1))

    def action_choose(self) -> None:
        if self._node:
            self.post_message(self.Chosen(self._node))

    def on_click(self, event: events.Click) -> None:
        row = event.get_content_offset(self)
        if row is None or (index := row.y + self.scroll_offset.y) >= len(self._rows):
            return
        self._go(index)
        self.action_choose()

    def on_focus(self) -> None:
        self.refresh_line(self._cursor)

    def on_blur(self) -> None:
        self.refresh_line(self._cursor)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if index >= len(self._rows):
            return strip(self, [("no node has this in its line", "dim")]
                         if y == 0 and self.filter else [], width)  # fmt: skip
        row = self._rows[index]
        over = "cursor" if row.name == self._node and self.has_focus else ""
        return strip(self, self._pieces(row), width, over)

    @property
    def _cursor(self) -> int:
        return next((n for n, row in enumerate(self._rows) if row.name == self._node), 0)

    def _again(self) -> None:
        if self._told:
            self.show(*self._told)

    def _take(self, new: list[Row]) -> None:
        old, self._rows = self._rows, new
        columns, self._columns = self._columns, _columns(new)
        was = self._node
        names = {row.name for row in new}
        if self._node not in names:
            self._node = new[0].name if new else ""
        if len(old) != len(new):
            self.virtual_size = Size(self.size.width, len(new))
        if len(old) != len(new) or was != self._node or columns != self._columns:
            self.refresh()
            return
        top, width = self.scroll_offset.y, self.size.width
        regions: list[Region] = []
        for y in range(min(self.size.height, len(new) - top)):
            before, after = old[top + y], new[top + y]
            if before is after or before == after:
                continue
            if before.name != after.name:
                regions.append(Region(0, y, width, 1))
            else:
                regions += changed(self._pieces(before), self._pieces(after), y, width)
        if regions:
            self.refresh(*regions)

    def _go(self, index: int) -> None:
        before = self._cursor
        self._node = self._rows[index].name
        self.refresh_line(before)
        self.refresh_line(index)
        self.scroll_to_region(Region(0, index, 1, 1), animate=False, x_axis=False)

    def _pieces(self, row: Row) -> list[Piece]:
        """A line in the width there is: what is done gets what the other columns leave."""
        name, version, time = self._columns
        width = self.scrollable_content_region.width
        service = 8
        if width < 60:
            version = 0
        room = width - 2 - name - 1 - service - (version + 1 if version else 0)
        # How long goes to the right of what; narrow, it is left to the screen of the node.
        time = time if room - time - 1 >= 12 else 0
        room -= time + 1 if time else 0
        style = row.style
        pieces: list[Piece] = [(f"{row.glyph} ", style), (fit(row.name, name) + " ", "plain")]
        if version:
            pieces.append((fit(row.version, version) + " ", "dim"))
        doing = "plain" if style in ("busy", "good") else style
        pieces.append((fit(row.doing, room - 1) + " ", doing))
        if time:
            pieces.append((fit(row.time.rjust(time), time) + " ", "dim"))
        words = {"serving": "good", "stopped": "plain"}.get(row.service, "dim")
        pieces.append((row.service, words))
        return pieces


def _columns(found: list[Row]) -> tuple[int, int, int]:
    """The widths of name, version and time that all rows need."""
    name = max((len(row.name) for row in found), default=0)
    version = max((len(row.version) for row in found), default=0)
    time = max((len(row.time) for row in found), default=0)
    # A column that grew keeps a width of its own class, or 9:59 to 10:00 would repaint all.
    return min(24, name), min(16, version), (16 if time > 13 else 13 if time > 5 else time and 5)
