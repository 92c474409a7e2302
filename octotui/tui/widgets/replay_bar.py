"""The bar of a replay: what time is shown, how far into the run that is, and what lies ahead."""

from __future__ import annotations

from typing import Final

from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.recording import MomentKind, Recording
from octotui.tui.replay import ReplayStore
from octotui.tui.widgets.paint import CSS, STYLES, Piece, changed, fit, strip, widths
from octotui.tui.words import clock, duration

#: What is marked on the bar, the weightiest first: where two fall into one cell, the first shows.
MARKS: Final[dict[MomentKind, Piece]] = {
    "failed": ("✗", "bad"),
    "no return": ("┃", "bad"),
    "decision": ("●", "warn"),
}

#: Glyph and style of a moment that is told in words.
_TOLD: Final[dict[MomentKind, Piece]] = {
    **MARKS,
    "phase": ("▶", "busy"),
    "waits": ("!", "warn"),
    "end": ("○", "dim"),
}

#: Cells: a bar shorter than this says nothing; words about the last event want so many.
_SHORTEST: Final = 10
_WORDS: Final = 30
_WIDE: Final = 100


class ReplayBar(Widget):
    """One line. What ticks stands left: a line is sent from the left edge on."""

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = "ReplayBar { height: 1; padding: 0 1; " + CSS + "}"

    def __init__(self, store: ReplayStore) -> None:
        super().__init__()
        self._store = store
        self._pieces: list[Piece] = []

    def show(self) -> None:
        """Shows where the replay's clock is."""
        width = self.size.width
        old, self._pieces = self._pieces, bar_pieces(self._store, width)
        if regions := changed(old, self._pieces, 0, width):
            self.refresh(*regions)

    def on_resize(self) -> None:
        self._pieces = bar_pieces(self._store, self.size.width)
        self.refresh()  # it may have been painted before this was known

    def render_line(self, y: int) -> Strip:
        return strip(self, self._pieces, self.size.width)


def bar_pieces(store: ReplayStore, width: int) -> list[Piece]:
    """The line in the most words that fit: with the last event on a wide screen."""
    recording, at = store.recording, store.now()
    long = width >= _WIDE
    pieces = [*_state(store, long), (f" {clock(at)} ", "plain")]
    pieces.append((_elapsed(recording, at, " of " if long else "/"), "dim"))
    if store.skips:
        pieces.append((" skips quiet" if long else " skips", "dim"))
    words = _last_words(recording, at) if long else []
    room = width - widths(pieces) - 2 - (_WORDS if long else 0)
    if room >= _SHORTEST:
        pieces += [(" ", "plain"), *cells(recording, at, room), (" ", "plain")]
    return pieces + words


def _state(store: ReplayStore, long: bool) -> list[Piece]:
    clock_ = store.clock
    if clock_.playing:
        glyph, word, style = "▶", "playing", "busy"
    elif store.now() >= clock_.end:
        glyph, word, style = "■", "at the end", "plain"
    else:
        glyph, word, style = "‖", "paused", "warn"
    return [(f"{glyph} {word} " if long else f"{glyph} ", style), (f"{clock_.speed}x", "plain")]


def _elapsed(recording: Recording, at: float, of: str) -> str:
    taken, whole = int(at - recording.begin), int(recording.end - recording.begin)
    return f"{duration(taken)}{of}{duration(whole)}"


def _last_words(recording: Recording, at: float) -> list[Piece]:
    """The last event that matters."""
    moment = recording.moment_at(at)
    if moment is None:
        return [(" " * _WORDS, "plain")]
    glyph, style = _TOLD[moment.kind]
    return [(fit(f"{glyph} {moment.text}", _WORDS), style)]


def cells(recording: Recording, at: float, width: int) -> list[Piece]:
    """The run from its beginning to its end, what was played of it, and marks."""
    length = max(recording.end - recording.begin, 1.0)

    def cell(time: float) -> int:
        return min(width - 1, int((time - recording.begin) / length * width))

    here = cell(at)
    found: list[Piece] = [("━", "busy") if n < here else ("─", "dim") for n in range(width)]
    found[here] = ("╺", "busy")
    for kind in reversed(MARKS):
        for moment in recording.moments:
            if moment.kind == kind and cell(moment.at) != here:
                found[cell(moment.at)] = MARKS[kind]
    return found
