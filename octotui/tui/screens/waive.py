"""The checks that refused a run and may be waived; waiving none is the default."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from octotui.tui.screens.waive_text import waive_lines
from octotui.view import RunView


class Waive(ModalScreen[tuple[str, ...]]):
    """The names of the checks that were chosen; empty for none."""

    BINDINGS = [
        Binding("escape", "give_up", "back", id="waive.back", tooltip="Begin no run."),
    ]

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._lines = list(waive_lines(view))

    def compose(self) -> ComposeResult:
        with Vertical(id="waive") as box:
            box.border_title = "Go on without"
            options = OptionList(
                Option(
                    Content.assemble(
                        ("nothing", "bold"),
                        "  Begin no run. What refuses can be put right and checked again.",
                    )
                ),
                *(Option(text, disabled=not names) for text, names in self._lines),
            )
            options.highlighted = 0
            yield options

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(self._lines[message.option_index - 1][1] if message.option_index else ())

    def action_give_up(self) -> None:
        self.dismiss(())
