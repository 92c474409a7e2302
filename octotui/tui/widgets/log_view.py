"""The log of one or all nodes: follows, filters, finds, wraps, copies. Painted by lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.widgets.log_buffer import CAPACITY, LogBuffer, LogFilter, finder, pattern
from octotui.tui.widgets.log_frame import LogFrame
from octotui.tui.widgets.log_keys import KEYS
from octotui.tui.widgets.log_paint import line_pieces, log_text, round_words, shift_to
from octotui.tui.widgets.log_window import LogWindow
from octotui.tui.widgets.paint import CSS, STYLES, strip, widths


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
        """What is shown is to be saved."""

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
        self.window = LogWindow(self.buffer)
        self.wrapped = False
        self._left = 0
        self._node_width = 3
        self._wanted = ""
        self._note = ""
        self._frame = LogFrame()

    def extend(self, lines: Sequence[LogLine]) -> None:
        """Adds lines that came. What a person looks at stays where it is."""
        if not lines:
            return
        node_width = max(self._node_width, min(16, max(len(line.node) for line in lines)))
        if node_width != self._node_width:
            self._node_width = node_width
            self._lay_out()
        if self.window.extended(*self.buffer.extend(lines)):
            self._paint_text()
        self._paint_frame()

    @property
    def following(self) -> bool:
        """Whether the newest line is looked at."""
        return self.window.following

    def clear(self) -> None:
        """Begins anew, without any line; filter and search stay."""
        self.buffer.clear()
        self.window.follow()
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
        self.window.taken_back(before - self.buffer.rows)
        self._paint()
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
        self._paint()
        return found

    def shown(self) -> list[LogLine]:
        """Every line that the filter leaves."""
        return list(self.buffer.all_shown())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key is told that would do nothing now."""
        if action in ("next_hit", "previous_hit"):
            return bool(self._wanted)
        return action != "follow" or not self.following

    def action_move(self, by: int) -> None:
        self.window.move(by)
        self._moved()

    def action_page(self, by: int) -> None:
        self.window.turn(by)
        self._moved()

    def action_first(self) -> None:
        self.window.go_to_row(0)
        self._moved()

    def action_follow(self) -> None:
        """The newest line; from now on those that come are shown."""
        self.window.follow()
        self._moved()

    def action_shift(self, by: int) -> None:
        if not self.wrapped:
            self._left = max(0, self._left + by * self.size.width // 2)
            self._paint_text()

    def action_next_hit(self) -> None:
        self._seek(forward=True)

    def action_previous_hit(self) -> None:
        self._seek(forward=False)

    def action_next_bad(self, by: int) -> None:
        start = self.window.start(by > 0)
        found = self.buffer.find(lambda line: line.severity >= Severity.WARN, start, by > 0)
        if found is None:
            self._note = "no error and no warning"
            self._paint_frame()
        else:
            self._go(found, round_words(start, found, by > 0))

    def action_wrap(self) -> None:
        self.wrap(not self.wrapped)
        self.post_message(self.Wrapped(self.wrapped))

    def action_context(self) -> None:
        self._refilter(self.buffer.filter, not self.buffer.context)

    def action_select(self) -> None:
        self.window.select()
        self._moved()

    def action_copy(self) -> None:
        if lines := [log_text(line) for line in self.window.take_selected()]:
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
            return strip(self, self._frame.status, width)
        tick = self._frame.bar[y] if y < len(self._frame.bar) else (" ", "dim")
        place = self.buffer.at_row(self.window.top + y)
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
        if self.has_focus and self.window.is_selected(number):
            return Strip.join([strip(self, pieces, text_width, "cursor"), strip(self, [tick], 1)])
        blank = " " * (text_width - widths(pieces))
        return strip(self, [*pieces, (blank, "plain"), tick], width)

    @property
    def _page(self) -> int:
        """Rows for lines: all but the last, which says what is shown."""
        return max(0, self.size.height - 1)

    @property
    def _lead(self) -> int:
        """Cells before the text: time, severity, node."""
        return 0 if self._bare else 8 + 1 + 5 + 1 + self._node_width + 1

    def _seek(self, forward: bool) -> bool:
        finds = finder(self._wanted)
        if finds is None:
            return False
        start = self.window.start(forward)
        found = self.buffer.find(lambda line: finds(line.text), start, forward)
        if found is None:
            self._note = f"nothing has {self._wanted}"
            self._paint_frame()
            return False
        wanted = pattern(self._wanted)
        hit = wanted.search(self.buffer.line(found).text) if wanted else None
        if hit and not self.wrapped:
            self._left = shift_to(hit, self._left, self.size.width - 1 - self._lead)
        self._go(found, round_words(start, found, forward))
        return True

    def _go(self, number: int, note: str = "") -> None:
        """Puts the cursor on a line, stops following, and shows it; ``note`` is said below."""
        self.window.go(number)
        self._moved(note)

    def _moved(self, note: str = "") -> None:
        self._note = note
        self._paint()

    def _refilter(self, wanted: LogFilter, context: bool) -> None:
        self.buffer.set_filter(wanted, context)
        self._note = ""
        self.window.filtered()
        self._lay_out()

    def _lay_out(self) -> None:
        """After anything that changes which rows there are: keeps the line that is looked at."""
        lead = self._lead
        place = self.buffer.at_row(self.window.top)
        width = max(lead + 8, self.size.width - 1) if self.wrapped and self.size else 0
        self.buffer.set_width(width, lead)
        self.window.page = self._page
        self.window.laid_out(place[0] if place else None)
        self._frame.forget()
        self._paint_frame()
        self.refresh()

    def _paint(self) -> None:
        self._paint_text()
        self._paint_frame()

    def _paint_text(self) -> None:
        self.refresh(Region(0, 0, max(1, self.size.width - 1), max(1, self._page)))

    def _paint_frame(self) -> None:
        """The bar at the right and the line below, where they changed."""
        if not self.is_mounted or self._page < 1:
            return
        regions = self._frame.tell(self.buffer, self.window, self._wanted, self._note, self.size)
        if regions:
            self.refresh(*regions)
