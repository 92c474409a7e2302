"""The three clocks of a run, against what the plan expects of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.app import ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.widgets.paint import CSS, STYLES, Piece, strip, widths
from octotui.tui.widgets.phases import goes_back
from octotui.tui.words import duration, is_late, minutes
from octotui.view import RunView

#: Clock, its name, the plan's estimate of it, the time at which it stops.
_CLOCKS: Final = (
    ("outage", "outage", "outage_seconds", "first_serving"),
    ("all_up", "all up", "all_up_seconds", "all_serving"),
    ("maintenance", "maintenance", "maintenance_seconds", "maintenance_off"),
)

#: States in which a clock that has not begun never will.
ENDED_UNCHANGED: Final = ("aborted", "failed")

#: What stands before the first clock's time, each time, and what stands after it.
_PARTS: Final = 2 * len(_CLOCKS) + 1


class _Part(Widget):
    """A few cells that are sent by themselves, in the styles of ``clocks``.

    Without styles of its own: Textual works them out for each widget that has some.
    """

    DEFAULT_CSS = "_Part { height: 1; width: 0; }"

    def __init__(self, clocks: Widget) -> None:
        super().__init__()
        self._clocks = clocks
        self._pieces: list[Piece] = []

    def say(self, pieces: list[Piece]) -> None:
        if pieces == self._pieces:
            return
        before, self._pieces = self._pieces, pieces
        if (width := widths(pieces)) != widths(before):
            self.styles.width = width
        self.refresh()

    def render_line(self, y: int) -> Strip:
        return strip(self._clocks, self._pieces, self.size.width)


class Clocks(Widget):
    """One line: outage, all up, maintenance.

    Each time is a widget, and so is what stands between two: while only the clocks tick, only
    their digits are sent, about 60 bytes each, where a line of one widget would be sent from its
    left edge on.
    """

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = (
        "Clocks { height: 1; padding: 0 1; layout: horizontal; overflow: hidden; " + CSS + "}"
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._parts = [_Part(self) for _ in range(_PARTS)]
        self._told: tuple[RunView, float, bool] | None = None

    def compose(self) -> ComposeResult:
        yield from self._parts

    def show(self, view: RunView, now: float, alive: bool = True) -> None:
        """Shows the clocks as they stand now, epoch seconds. ``alive``: a process works on it."""
        self._told = (view, now, alive)
        fitting = _fitting(view, now, self.size.width, alive)
        for part, pieces in zip(self._parts, fitting, strict=True):
            part.say(pieces)

    def on_resize(self) -> None:
        if self._told:
            self.show(*self._told)


def clock_pieces(view: RunView, now: float, width: int, *, alive: bool = True) -> list[Piece]:
    """The clocks in the most words that fit."""
    return [piece for part in _fitting(view, now, width, alive) for piece in part]


def _fitting(view: RunView, now: float, width: int, alive: bool) -> list[list[Piece]]:
    # What the plan expects is of an upgrade that somebody works on, not of the way back.
    over = view.state in ENDED_UNCHANGED or goes_back(view)
    estimate = view.plan.get("estimate", {}) if alive and not over else {}
    for words in (2, 1, 0):
        parts = _in_parts(view, now, words, estimate)
        if sum(map(widths, parts)) <= width:
            break
    return parts


def _in_parts(
    view: RunView, now: float, words: int, estimate: Mapping[str, float]
) -> list[list[Piece]]:
    """Every second part is a clock's time, which ticks; the others stand still.

    Without an estimate a clock only says how long it has been.
    ``words``: 2 says everything, 1 is short, 0 leaves out by how much a clock is over.
    """
    long = words == 2
    clocks = view.clocks(now)
    parts: list[list[Piece]] = [[]]
    for name, title, expectation, end in _CLOCKS:
        taken, expected = getattr(clocks, name), estimate.get(expectation)
        reached = getattr(view, end) is not None
        still = parts[-1]
        if len(parts) > 1:
            still.append(("   ", "plain"))
        # Nothing yet: what is expected is all that can be said.
        if taken is None:
            text = f"about {duration(expected)} expected" if expected and long else "not begun"
            if expected and not long:
                text = f"-/{duration(expected)}"
            still += [(f"{title} ", "dim"), (text, "dim")]
            parts += [[], []]
            continue
        late = expected is not None and is_late(taken, expected)
        still.append((f"{title} ", "plain"))
        towards = "busy" if expected else "plain"
        ticks = (duration(int(taken)), "warn" if late else "good" if reached else towards)
        parts += [[ticks], []]
        if expected:
            of = " of about " if long else "/"
            parts[-1].append((f"{of}{duration(expected)}", "dim"))
        if expected is not None and late:
            # In minutes: the clock beside it ticks already, and each tick is sent.
            over = f" {minutes(int(taken) - int(expected))} over"
            parts[-1].append((over if words else "!", "warn"))
        if reached:
            parts[-1].append((" ✓", "good"))
        elif not expected and long:
            parts[-1].append((" so far", "dim"))
    return parts
