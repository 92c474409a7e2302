"""Something to choose from a list; choosing nothing is the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

Chosen = TypeVar("Chosen")


class Choice(ModalScreen[Chosen], Generic[Chosen]):
    """What was chosen, or ``nothing``, of which ``words`` say what it means.

    ``offers``: each with what choosing it gives, None where it can be read only.
    """

    def __init__(
        self,
        title: str,
        nothing: Chosen,
        words: str,
        offers: Sequence[tuple[Content, Chosen | None]],
    ) -> None:
        super().__init__()
        self._heading = title
        self._nothing = nothing
        self._words = words
        self._offers = offers

    def compose(self) -> ComposeResult:
        with Vertical(id="choice") as box:
            box.border_title = self._heading
            options = OptionList(
                Option(Content.assemble(("nothing", "bold"), f"  {self._words}")),
                *(Option(text, disabled=gives is None) for text, gives in self._offers),
            )
            options.highlighted = 0
            yield options

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        chosen = self._offers[message.option_index - 1][1] if message.option_index else None
        self.dismiss(self._nothing if chosen is None else chosen)

    def action_give_up(self) -> None:
        self.dismiss(self._nothing)
