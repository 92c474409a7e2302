"""The checks that refused a run and may be waived; waiving none is the default."""

from __future__ import annotations

from textual.binding import Binding

from octotui.tui.screens.choice import Choice
from octotui.tui.screens.waive_text import waive_lines
from octotui.view import RunView


class Waive(Choice[tuple[str, ...]]):
    """The names of the checks that were chosen; empty for none."""

    BINDINGS = [
        Binding("escape", "give_up", "back", id="waive.back", tooltip="Begin no run."),
    ]

    def __init__(self, view: RunView) -> None:
        super().__init__(
            "Go on without",
            (),
            "Begin no run. What refuses can be put right and checked again.",
            [(text, names or None) for text, names in waive_lines(view)],
        )
