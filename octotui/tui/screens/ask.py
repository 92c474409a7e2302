"""One line to type into, at the bottom of the screen: what to find, what to filter by."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from octotui.tui.screens.base import Entry


class Ask(ModalScreen[str | None]):
    """The text that was typed; None where a person thought better of it."""

    BINDINGS = [
        Binding("escape", "give_up", "back", id="ask.back", tooltip="Leave all as it is."),
    ]

    def __init__(self, question: str, before: str = "") -> None:
        super().__init__()
        self._question = question
        self._before = before

    def compose(self) -> ComposeResult:
        with Horizontal(id="ask"):
            yield Label(f"{self._question} ")
            yield Entry(self._before, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_give_up(self) -> None:
        self.dismiss(None)
