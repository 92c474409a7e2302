"""Every key of the screen below and what it does, made of the table of commands."""

from __future__ import annotations

import textwrap
from typing import Final

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from octotui.tui.command import Command
from octotui.tui.commands import BY_ID, commands_of
from octotui.tui.keymap import settings_file
from octotui.tui.situation import Situation
from octotui.tui.terminal_app import TerminalApp
from octotui.tui.words import join

#: Cells of the columns before what a key does.
_KEY: Final = 10
_TITLE: Final = 16


class HelpScreen(ModalScreen[None]):
    """Closed by any of the keys that close something."""

    BINDINGS = [
        Binding(
            "escape,q,question_mark,f1",
            "dismiss",
            "back",
            id="help.back",
            tooltip="Close the help.",
        )
    ]

    app: TerminalApp

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", classes="pane") as box:
            box.border_title = "Keys"
            yield _Keys(self._keys(self.app.screen_stack[-2]))

    def _keys(self, below: Screen[object]) -> list[tuple[str, str, str]]:
        """Keys, name and what it does, of everything that can be done there."""
        situation = getattr(below, "situation", Situation())
        found = [
            (self._keys_of(command), command.title, command.does)
            for command in commands_of(self._place)
            if command.fits(situation)
        ]
        # What the part that has the focus adds, such as searching in the log.
        others: dict[str, list[str]] = {}
        for active in below.active_bindings.values():
            binding = active.binding
            if binding.id not in BY_ID and binding.tooltip and active.node is not self.app:
                others.setdefault(binding.tooltip, []).append(self.app.get_key_display(binding))
        found += [(" ".join(keys), "", does) for does, keys in others.items()]
        return [*found, ("^p", "palette", "Find a command by its words.")]

    def _keys_of(self, command: Command) -> str:
        keys = self.app.settings.keys.get(command.id, command.keys)
        bindings = Binding.make_bindings([Binding(keys, "", id=command.id)])
        return " ".join(self.app.get_key_display(binding) for binding in bindings)


class _Keys(Static):
    """A line a key; what it does goes on under its own column."""

    def __init__(self, keys: list[tuple[str, str, str]]) -> None:
        super().__init__()
        self._keys = keys

    def on_resize(self) -> None:
        room = max(20, self.size.width - _KEY - _TITLE - 2)
        lines = [_line(*key, room) for key in self._keys]
        own = (
            f"Keys, theme and mouse are yours to set in {settings_file()}: "
            'below [keys], a line like "run.hold" = "x".'
        )
        self.update(join([*lines, Content(""), Content.styled(own, "$text-muted")]))


def _line(key: str, title: str, does: str, room: int) -> Content:
    below = "\n" + " " * (_KEY + _TITLE + 2)
    words = below.join(textwrap.wrap(does, room))
    return Content.assemble(
        (f"{key:<{_KEY}} ", "bold $accent"), (f"{title:<{_TITLE}} ", "bold"), words
    )
