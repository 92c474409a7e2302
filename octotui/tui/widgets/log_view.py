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

from octotui.tui.log_tail import KEPT_LINES, LogLine, Severity
from octotui.tui.widgets.log_buffer import LogBuffer, LogFilter
from octotui.tui.widgets.log_frame import LogFrame
from octotui.tui.widgets.log_keys import KEYS
from octotui.tui.widgets.log_paint import LineLayout, log_text
from octotui.tui.widgets.log_search import LogSearch
from octotui.tui.widgets.log_tally import tally_words
from octotui.tui.widgets.log_window import LogWindow
from octotui.tui.widgets.paint import CSS, STYLES, strip, widths


class LogView(Widget, can_focus=True):
    """The newest lines, tens of thousands. The last row says what is shown.

    ``whose``: of whom the lines are; the border below then says how many warnings and errors there
    were. ``bare``: the text alone, of lines that have no time and node of ours.

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
    DEFAULT_CSS = "LogView { border-subtitle-align: left; " + CSS + "}"
    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    def __init__(
        self,
        *,
        capacity: int = KEPT_LINES,
        whose: str = "",
        bare: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._whose = whose
        self._text = LineLayout(bare)
        self.buffer = LogBuffer(capacity)
        self.window = LogWindow(self.buffer)
        self._search = LogSearch(self.buffer, self.window)
        self._note = ""
        self._frame = LogFrame()
        self._counted = ""

    def extend(self, lines: Sequence[LogLine]) -> None:
        """Adds lines that came. What a person looks at stays where it is."""
        if not lines:
            return
        if self._text.make_room(lines):
            self._lay_out()
        if self.window.extended(*self.buffer.extend(lines)):
            self._paint_text()
        self._paint_frame()

    @property
    def following(self) -> bool:
        """Whether the newest line is looked at."""
        return self.window.following

    @property
    def wrapped(self) -> bool:
        """Whether long lines take several rows."""
        return self._text.wrapped

    def clear(self) -> None:
        """Begins anew, without any line; filter and search stay."""
        self.buffer.clear()
        self.window.follow()
        self._lay_out()

    def show_cause(self) -> None:
        """Goes to the first error, where there is one."""
        self._reach(self._search.cause())

    def take_back(self, count: int) -> bool:
        """Takes out the newest lines again. False: all are out, for older ones are forgotten."""
        before = self.buffer.rows
        complete = self.buffer.take_back(count)
        self.window.taken_back(before - self.buffer.rows)
        self._paint()
        return complete

    def wrap(self, wrapped: bool) -> None:
        """Long lines take several rows, or are cut."""
        self._text.wrap(wrapped)
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
        self._search.begin(text)
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
            return bool(self._search.text)
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
            self._text.left = max(0, self._text.left + by * self.size.width // 2)
            self._paint_text()

    def action_next_hit(self) -> None:
        self._seek(forward=True)

    def action_previous_hit(self) -> None:
        self._seek(forward=False)

    def action_next_bad(self, by: int) -> None:
        self._reach(*self._search.bad(forward=by > 0))

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
        line, faint = self.buffer.line(number), not self.buffer.is_hit(number)
        pieces = self._text.pieces(line, part, text_width, self._search.pattern, faint)
        if self.has_focus and self.window.is_selected(number):
            return Strip.join([strip(self, pieces, text_width, "cursor"), strip(self, [tick], 1)])
        blank = " " * (text_width - widths(pieces))
        return strip(self, [*pieces, (blank, "plain"), tick], width)

    @property
    def _page(self) -> int:
        """Rows for lines: all but the last, which says what is shown."""
        return max(0, self.size.height - 1)

    def _seek(self, forward: bool) -> bool:
        found, note = self._search.hit(forward)
        if found is not None and self._search.pattern:
            hit = self._search.pattern.search(self.buffer.line(found).text)
            self._text.show(hit, self.size.width - 1)
        self._reach(found, note)
        return found is not None

    def _reach(self, found: int | None, note: str = "") -> None:
        """Puts the cursor on a line that was found, if any, and says below what is to be said."""
        if found is None:
            self._note = note
            self._paint_frame()
        else:
            self.window.go(found)
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
        lead = self._text.lead
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
        """The bar at the right, the line below and the border, where they changed."""
        if not self.is_mounted:
            return
        if self._whose:
            self._say_counts()
        if self._page < 1:
            return
        search = self._search.text
        regions = self._frame.tell(self.buffer, self.window, search, self._note, self.size)
        if regions:
            self.refresh(*regions)

    def _say_counts(self) -> None:
        """In the border, which is set only where it differs: that paints the whole log anew."""
        node = self.buffer.filter.node
        words = tally_words(self.buffer.tally, node or self._whose, node, self.size.width - 2)
        if words.plain != self._counted:
            self._counted = words.plain
            self.border_subtitle = words
