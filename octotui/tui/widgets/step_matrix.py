"""Nodes and steps on one canvas, with the point of no return drawn between the phases."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from octotui.tui.widgets.paint import CSS, STYLES, Piece, changed, fit, strip
from octotui.tui.widgets.step_table import Table, describe, is_telling, lay_out, mark, telling
from octotui.view import RunView

#: Lines that do not scroll: the phases above, the step under the cursor in words below.
FIXED = 2


class StepMatrix(ScrollView, can_focus=True):
    """A glyph a step. The last line says in words what the glyph under the cursor means."""

    @dataclass
    class Chosen(Message):
        """Enter or a click on a step."""

        step_id: str

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = "StepMatrix { overflow-x: hidden; " + CSS + "}"
    BINDINGS = [
        Binding("up,k", "move(-1, 0)", "Up", show=False, id="steps.up", tooltip="The row above"),
        Binding("down,j", "move(1, 0)", "Down", show=False, id="steps.down",
                tooltip="The row below"),
        Binding("left", "move(0, -1)", "Left", show=False, id="steps.left",
                tooltip="The step before"),
        Binding("right", "move(0, 1)", "Right", show=False, id="steps.right",
                tooltip="The step after"),
        Binding("home", "move(0, -1000)", "First", show=False, id="steps.first",
                tooltip="The first step"),
        Binding("end", "move(0, 1000)", "Last", show=False, id="steps.last",
                tooltip="The last step"),
        Binding("enter", "choose", "Open step", show=False, id="steps.choose",
                tooltip="Everything about this step"),
    ]  # fmt: skip

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._table = Table()
        self._row = self._column = self._left = 0
        self._told: tuple[RunView, float, bool] | None = None
        self._known: tuple[object, ...] = ()
        #: Whether a person has moved the cursor; else it follows the run.
        self._moved = False
        self._lines: list[list[Piece]] = []

    @property
    def step_id(self) -> str:
        """The step under the cursor; empty where a node has no such step."""
        if not self._table.rows:
            return ""
        key = self._table.columns[self._column].key
        return self._table.steps.get((self._table.rows[self._row], key), "")

    def show(self, view: RunView, now: float, alive: bool = True) -> None:
        """Shows the steps as they are now, epoch seconds; repaints the cells that differ.

        ``alive``: a process works on the run, so that what runs goes on.
        """
        self._told = (view, now, alive)
        known = (id(view), len(view.steps), len(view.nodes), view.state == "rolling_back")
        if known != self._known:
            self._known = known
            self._table = lay_out(view)
            self._row = min(self._row, max(0, len(self._table.rows) - 1))
            self._column = min(self._column, max(0, len(self._table.columns) - 1))
            self.virtual_size = Size(self.size.width, len(self._table.rows) + FIXED)
        if not self._moved and not is_telling(view.steps.get(self.step_id), view):
            self._row, self._column = telling(self._table, view) or (self._row, self._column)
            self._show_row()
            self._show_column()
        self._repaint()

    def action_move(self, rows: int, columns: int) -> None:
        table = self._table
        if not table.rows:
            return
        self._row = min(max(0, self._row + rows), len(table.rows) - 1)
        self._column = min(max(0, self._column + columns), len(table.columns) - 1)
        self._moved = True
        self._show_row()
        self._show_column()
        self._repaint()

    def action_choose(self) -> None:
        if self.step_id:
            self.post_message(self.Chosen(self.step_id))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or not 1 <= place.y < self.size.height - 1:
            return
        row = place.y - 1 + self.scroll_offset.y
        x = place.x - self._names + self._left
        found = [n for n, column in enumerate(self._table.columns) if 0 <= x - column.x < 2]
        if row < len(self._table.rows) and found:
            self._row, self._column = row, found[0]
            self._moved = True
            self._repaint()
            self.action_choose()

    def on_focus(self) -> None:
        self._repaint()

    def on_blur(self) -> None:
        self._moved = False
        self._repaint()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._table.rows) + FIXED)
        self._show_column()
        self._lines = self._compose_lines()
        self.refresh()  # the first picture may have been painted without a width

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._lines = self._compose_lines()

    def render_line(self, y: int) -> Strip:
        return strip(self, self._lines[y] if y < len(self._lines) else (), self.size.width)

    @property
    def _names(self) -> int:
        """The width of the column of names."""
        return self._table.names

    def _show_row(self) -> None:
        """Scrolls so that the cursor's line lies between the fixed ones."""
        page = max(1, self.size.height - FIXED)
        top = self.scroll_offset.y
        if not top <= self._row < top + page:
            target = self._row if self._row < top else self._row - page + 1
            self.scroll_to(y=target, animate=False)

    def _show_column(self) -> None:
        """Shifts the table so that the cursor's step and its phase's name are to be seen."""
        if not self._table.columns:
            return
        room = max(4, self.size.width - self._names)
        column = self._table.columns[self._column]
        head = next(head for head in self._table.heads if head.phase == column.phase)
        if column.x + 2 > self._left + room or head.x + head.width > self._left + room:
            self._left = min(column.x, head.x + head.width - room)
        self._left = max(0, min(self._left, max(0, head.x - 2)))
        if self._table.width <= room:
            self._left = 0

    def _repaint(self) -> None:
        old, self._lines = self._lines, self._compose_lines()
        if len(old) != len(self._lines):
            self.refresh()
            return
        width = self.size.width
        regions: list[Region] = [
            region
            for y, line in enumerate(self._lines)
            for region in changed(old[y], line, y, width)
        ]
        if regions:
            self.refresh(*regions)

    def _compose_lines(self) -> list[list[Piece]]:
        """Every line that is to be seen: the phases, the rows, the words for the cursor's step."""
        if self._told is None or self.size.height <= FIXED:
            return []
        view, now, alive = self._told
        top, page = self.scroll_offset.y, self.size.height - FIXED
        lines = [self._head()]
        last = min(top + page, len(self._table.rows))
        lines += [self._line(view, n, alive) for n in range(top, last)]
        lines += [[] for _ in range(page + 1 - len(lines))]
        step = view.steps.get(self.step_id)
        words = (
            describe(step, now, alive) if step else "no such step here" if self._table.rows else ""
        )
        style = mark(step, alive)[2] if step else "dim"
        lines.append([(fit(words, self.size.width), "plain" if style == "good" else style)])
        return lines

    def _head(self) -> list[Piece]:
        cells: list[Piece] = [(" ", "plain")] * self._table.width
        for head in self._table.heads:
            name = head.phase.replace("_", " ")
            cells[head.x : head.x + len(name)] = [(letter, "dim") for letter in name]
            if head.no_return:
                cells[head.x - 2] = ("┃", "bad")
        return [(" " * self._names, "plain"), *self._cut(cells)]

    def _line(self, view: RunView, number: int, alive: bool) -> list[Piece]:
        table, row = self._table, self._table.rows[number]
        cells: list[Piece] = [(" ", "plain")] * table.width
        if table.no_return is not None:
            cells[table.no_return] = ("┃", "bad")
        for n, column in enumerate(table.columns):
            step_id = table.steps.get((row, column.key))
            here = number == self._row and n == self._column and self.has_focus
            if step_id:
                glyph, _, style = mark(view.steps[step_id], alive)
                cells[column.x] = (glyph, "cursor" if here else style)
            elif here:
                cells[column.x] = (" ", "cursor")
        name = "plain" if number == self._row else "dim"
        return [(fit(row, self._names - 1) + " ", name), *self._cut(cells)]

    def _cut(self, cells: list[Piece]) -> list[Piece]:
        """The part that is to be seen, neighbours of one style together."""
        found: list[Piece] = []
        for text, style in cells[self._left : self._left + max(0, self.size.width - self._names)]:
            if found and found[-1][1] == style:
                found[-1] = (found[-1][0] + text, style)
            else:
                found.append((text, style))
        return found
