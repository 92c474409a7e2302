"""The question before a command is sent: what it does and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from octotui.run.journal import Command as Waiting
from octotui.tui.command import Command
from octotui.tui.consequences import comes_first
from octotui.tui.screens.base import Entry
from octotui.view import RunView


class Confirm(ModalScreen[bool]):
    """True once a person has said yes, or typed the word that is asked for."""

    BINDINGS = [
        Binding("escape", "no", "no, wait", id="confirm.no", tooltip="Send nothing."),
        Binding("y", "yes", "yes", id="confirm.yes", tooltip="Send the command."),
        Binding("n", "no", "no, wait", id="confirm.not", tooltip="Send nothing.", show=False),
    ]

    def __init__(self, command: Command, view: RunView, waiting: Sequence[Waiting] = ()) -> None:
        """``waiting``: what was asked for before, and comes before this one."""
        super().__init__()
        self._command = command
        self._first = comes_first(waiting)
        self._consequence = command.consequence(view)
        self._word = command.word(view)

    def compose(self) -> ComposeResult:
        with Vertical(id="question") as box:
            box.border_title = self._command.title
            if self._first:
                yield Static(Content.styled(self._first, "$warning"), id="comes-first")
            yield Static(Content(self._consequence), id="consequence")
            if self._word:
                yield Static(
                    Content.assemble(
                        "Type ", (self._word, "bold"), " and press enter. Escape sends nothing."
                    )
                )
                yield Entry(id="word")
            else:
                yield Static(
                    Content.assemble(
                        ("y", "bold $accent"), " yes    ", ("escape", "bold $accent"), " no, wait"
                    )
                )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "yes" or not self._word

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip().casefold() == self._word.casefold():
            self.dismiss(True)
        else:
            event.input.value = ""
            self.app.notify(f"That is not '{self._word}'. Nothing was sent.", severity="warning")

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)
