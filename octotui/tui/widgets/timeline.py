"""The phases of a run in a line, with the point of no return between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.strip import Strip
from textual.widget import Widget

from octotui.tui.ahead import holds_ahead
from octotui.tui.widgets.paint import CSS, STYLES, Piece, changed, strip, widths
from octotui.tui.widgets.phases import (
    MARKS,
    PhaseNow,
    current_phase,
    expectations,
    phases_now,
    remaining,
)
from octotui.tui.words import clock, duration, is_late, phase_names
from octotui.upgrade.phases import BY_NAME, POINT_OF_NO_RETURN, ROLLING_BACK
from octotui.view import RunView

HEIGHT = 2


class PhaseTimeline(Widget):
    """Two lines: every phase with its state, and the one under way in words with its time."""

    COMPONENT_CLASSES = set(STYLES)
    DEFAULT_CSS = "PhaseTimeline { height: 2; padding: 0 1; " + CSS + "}"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[list[Piece]] = [[] for _ in range(HEIGHT)]
        self._told: tuple[RunView, float, bool] | None = None
        self._plan: Mapping[str, Any] = {}
        self._expected: dict[str, float] = {}

    def show(self, view: RunView, now: float, alive: bool = True) -> None:
        """Shows where the run is now, epoch seconds. ``alive``: a process works on it."""
        self._told = (view, now, alive)
        width = self.size.width
        old, self._lines = self._lines, self._compose_lines(view, now, alive, width)
        regions = [
            region for y in range(HEIGHT) for region in changed(old[y], self._lines[y], y, width)
        ]
        if regions:
            self.refresh(*regions)

    def on_resize(self) -> None:
        if self._told:
            self._lines = self._compose_lines(*self._told, self.size.width)
            self.refresh()  # the first picture may have been painted without a width

    def get_content_height(self, *_: object) -> int:
        return HEIGHT

    def render_line(self, y: int) -> Strip:
        return strip(self, self._lines[y] if y < HEIGHT else (), self.size.width)

    def _compose_lines(
        self, view: RunView, now: float, alive: bool, width: int
    ) -> list[list[Piece]]:
        if view.plan is not self._plan:
            self._plan, self._expected = view.plan, expectations(view.plan)
        phases = phases_now(view, now, self._expected, alive=alive)
        return [phase_line(phases, width), now_line(view, phases, now, width)]


def phase_line(phases: Sequence[PhaseNow], width: int) -> list[Piece]:
    """All phases in the most words that fit: with times, with names, with the one under way

    named, with glyphs alone.
    """
    for detail in (3, 2, 1, 0):
        pieces = _phases(phases, detail)
        if widths(pieces) <= width:
            break
    return pieces


def _phases(phases: Sequence[PhaseNow], detail: int) -> list[Piece]:
    pieces: list[Piece] = []
    for phase in phases:
        glyph, style = MARKS[phase.state]
        if phase.name == POINT_OF_NO_RETURN:
            words = " no return" if detail == 3 else ""
            pieces.append((f" ┃{words} " if pieces else f"┃{words} ", "bad"))
        elif pieces:
            pieces.append(("  " if detail > 1 else " ", "plain"))
        current = phase.state in ("running", "waiting", "failed", "unknown")
        pieces.append((glyph, style))
        if detail > 1 or (detail and (current or phase.name == ROLLING_BACK.name)):
            pieces.append((f" {phase.title}", style if current else "plain"))
        if detail == 3 and phase.taken is not None and not current:
            pieces.append((f" {duration(int(phase.taken))}", "dim"))
    return pieces


def now_line(view: RunView, phases: Sequence[PhaseNow], now: float, width: int) -> list[Piece]:
    """The phase under way: its time of what was expected, on which side of the point of no

    return it is; where that fits, when all should be done, and what happens in the phase.
    """
    current = current_phase(view, phases)
    names = [phase.name for phase in phases]
    pieces: list[Piece] = []
    if view.state == "ready":
        pieces.append(("waits for approval; nothing is changed before it", "warn"))
    elif current is None:
        pieces.append((_at_the_end(view), "plain"))
    else:
        pieces += _phase_words(current)
    if current and POINT_OF_NO_RETURN in names:
        pieces += _no_return(view, names.index(current.name) - names.index(POINT_OF_NO_RETURN))
    if current and current.state == "running":
        left = remaining(phases)
        end = "" if left is None else f"   all done about {clock(now + left)[:5]}"
        if holds := holds_ahead(view):
            end = f"   stops before {phase_names(holds)}"
        for text in (end, f"   {BY_NAME[current.name].title}"):
            if widths(pieces) + len(text) <= width:
                pieces.append((text, "dim"))
    return pieces


def _phase_words(phase: PhaseNow) -> list[Piece]:
    """The phase with its time of what was expected; of one that stopped, when it did."""
    _, style = MARKS[phase.state]
    taken = None if phase.taken is None else int(phase.taken)
    if phase.state == "unknown":
        return [(f"{phase.title}: how far it came is not known", style)]
    if phase.state == "failed":
        after = "" if taken is None else f" after {duration(taken)}"
        return [(f"{phase.title} stopped{after}", style)]
    pieces: list[Piece] = []
    # The time first: what ticks is sent from the left edge on.
    if taken is not None:
        pieces.append((f"{duration(taken)} ", style))
    before = "held before " if phase.state == "waiting" else ""
    pieces.append((f"{before}{phase.title}", style))
    if phase.expected and phase.expected > 1:
        expected = duration(phase.expected)
        of = f", about {expected} expected" if taken is None else f" of about {expected}"
        pieces.append((of, "dim"))
        if taken and is_late(taken, phase.expected):
            pieces.append((f", {duration(taken - int(phase.expected))} over", "warn"))
    return pieces


def _at_the_end(view: RunView) -> str:
    """What came of a run in which nothing goes on."""
    if view.outcome == "refused":
        return "refused by the checks; nothing was changed"
    changed = "" if view.changed else "; nothing was changed"
    return {
        "succeeded": "all phases are done",
        "rolled_back": "the way back is done",
    }.get(view.state, f"{view.state.replace('_', ' ')}{changed}")


def _no_return(view: RunView, steps_past: int) -> list[Piece]:
    """On which side of the point of no return the run is."""
    if view.database_upgraded:
        return [("   past the point of no return", "bad")]
    if steps_past == 0 and view.state == POINT_OF_NO_RETURN:
        return [("   at the point of no return", "bad")]
    return []
