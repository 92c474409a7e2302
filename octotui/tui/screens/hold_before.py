"""The phases that a run can still stop before; holding before none is the default."""

from __future__ import annotations

from textual.binding import Binding
from textual.content import Content

from octotui.tui.ahead import phases_ahead
from octotui.tui.consequences import hold_before
from octotui.tui.screens.choice import Choice
from octotui.upgrade.phases import BY_NAME
from octotui.view import RunView


class HoldBefore(Choice[str]):
    """The phase that was chosen; an empty text for none."""

    BINDINGS = [
        Binding("escape", "give_up", "back", id="hold-before.back", tooltip="Send nothing."),
    ]

    def __init__(self, view: RunView) -> None:
        super().__init__(
            "Stop and wait before",
            "",
            "Send nothing. Before any other the run waits for you, with no limit.",
            [_offer(view, phase) for phase in phases_ahead(view)],
        )


def _offer(view: RunView, phase: str) -> tuple[Content, str | None]:
    already = "Held already. " if phase in view.hold else ""
    text = Content.assemble(
        (phase.replace("_", " "), "bold"),
        f"  {BY_NAME[phase].title}\n",
        (f"  {already}{hold_before(phase)}", "dim"),
    )
    return text, None if already else phase
