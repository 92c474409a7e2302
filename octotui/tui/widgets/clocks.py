"""The three clocks of a run, against what the plan expects of them."""

from __future__ import annotations

from typing import Final

from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.widgets.paint import CSS, STYLES, Piece, changed, strip, widths
from octotui.tui.words import duration
from octotui.view import RunView

#: Clock, its name, the plan's estimate of it, the time at which it stops.
_CLOCKS: Final = (
    ("outage", "outage", "outage_seconds", "first_serving"),
    ("all_up", "all up", "all_up_seconds", "all_serving"),
    ("maintenance", "maintenance", "maintenance_seconds", "maintenance_off"),
)


class Clocks(Widget):
    """One line: outage, all up, maintenance. While only they tick, only their digits are sent."""

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = "Clocks { height: 1; padding: 0 1; " + CSS + "}"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._pieces: list[Piece] = []
        self._shown: tuple[RunView, float] | None = None

    def show(self, view: RunView, now: float) -> None:
        """Shows the clocks as they stand now, epoch seconds."""
        self._shown = (view, now)
        pieces = clock_pieces(view, now, self.size.width)
        if regions := changed(self._pieces, pieces, 0, self.size.width):
            self._pieces = pieces
            self.refresh(*regions)

    def on_resize(self) -> None:
        if self._shown:
            self._pieces = clock_pieces(*self._shown, self.size.width)

    def render_line(self, y: int) -> Strip:
        return strip(self, self._pieces if y == 0 else (), self.size.width)


def clock_pieces(view: RunView, now: float, width: int) -> list[Piece]:
    """The clocks in the most words that fit."""
    for long in (True, False):
        pieces = _pieces(view, now, long)
        if widths(pieces) <= width:
            break
    return pieces


def _pieces(view: RunView, now: float, long: bool) -> list[Piece]:
    clocks, estimate = view.clocks(now), view.plan.get("estimate", {})
    pieces: list[Piece] = []
    for name, title, expectation, end in _CLOCKS:
        taken, expected = getattr(clocks, name), estimate.get(expectation)
        reached = getattr(view, end) is not None
        if pieces:
            pieces.append(("   ", "plain"))
        # Nothing yet: what is expected is all that can be said.
        if taken is None:
            text = f"about {duration(expected)} expected" if expected and long else "not begun"
            if expected and not long:
                text = f"-/{duration(expected)}"
            pieces += [(f"{title} ", "dim"), (text, "dim")]
            continue
        late = expected is not None and int(taken) > int(expected)
        style = "warn" if late else ("good" if reached else "busy")
        pieces += [(f"{title} ", "plain"), (duration(int(taken)), style)]
        if expected:
            of = " of about " if long else "/"
            pieces.append((f"{of}{duration(expected)}", "dim"))
        if late:
            pieces.append((f" {duration(int(taken) - int(expected))} over", "warn"))
        if reached and long:
            pieces.append((" ✓", "good"))
    return pieces
