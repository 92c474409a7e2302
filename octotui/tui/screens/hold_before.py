"""The phases that a run can still stop before; holding before none is the default."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from octotui.tui.ahead import phases_ahead
from octotui.tui.consequences import hold_before
from octotui.upgrade.phases import BY_NAME
from octotui.view import RunView

_NONE = "none"


class HoldBefore(ModalScreen[str]):
    """The phase that was chosen; an empty text for none."""

    BINDINGS = [
        Binding("escape", "give_up", "back", id="hold-before.back", tooltip="Send nothing."),
    ]

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        with Vertical(id="hold-before") as box:
            box.border_title = "Stop and wait before"
            options = OptionList(
                Option(
                    Content.assemble(
                        ("nothing", "bold"),
                        "  Send nothing. Before any other the run waits for you, with no limit.",
                    ),
                    id=_NONE,
                ),
                *(self._option(phase) for phase in phases_ahead(self._view)),
            )
            options.highlighted = 0
            yield options

    def _option(self, phase: str) -> Option:
        already = "Held already. " if phase in self._view.hold else ""
        text = Content.assemble(
            (phase.replace("_", " "), "bold"),
            f"  {BY_NAME[phase].title}\n",
            (f"  {already}{hold_before(phase)}", "dim"),
        )
        return Option(text, id=phase, disabled=bool(already))

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        chosen = message.option_id or _NONE
        self.dismiss("" if chosen == _NONE else chosen)

    def action_give_up(self) -> None:
        self.dismiss("")
