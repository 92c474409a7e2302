"""Every key of the screen below and what it does, made of the table of commands."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from octotui.tui.commands import BY_ID, commands_of
from octotui.tui.keymap import settings_file
from octotui.tui.situation import Situation
from octotui.tui.words import join


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

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", classes="pane") as box:
            box.border_title = "Keys"
            yield Static(self._text(self.app.screen_stack[-2]))

    def _text(self, below: Screen[object]) -> Content:
        situation = getattr(below, "situation", Situation())
        keys: dict[str, list[str]] = {}
        others: list[tuple[str, str]] = []
        for _, binding in below._bindings:
            keys.setdefault(binding.id or "", []).append(self.app.get_key_display(binding))
        # What the part that has the focus adds, such as searching in the log.
        for active in below.active_bindings.values():
            binding = active.binding
            if binding.id not in BY_ID and binding.tooltip and active.node is not self.app:
                others.append((self.app.get_key_display(binding), binding.tooltip))
        lines = [
            _line(" ".join(keys.get(command.id, [command.keys])), command.title, command.does)
            for command in commands_of(self._place)
            if command.fits(situation)
        ]
        lines += [_line(key, "", does) for key, does in others]
        lines += [
            _line("^p", "palette", "Find a command by its words."),
            Content(""),
            Content.styled(
                f"Keys, theme and mouse are yours to set in {settings_file()}: "
                "[keys] with a line like \"run.hold\" = \"p\".", "$text-muted",
            ),
        ]  # fmt: skip
        return join(lines)


def _line(key: str, title: str, does: str) -> Content:
    return Content.assemble((f"{key:<10} ", "bold $accent"), (f"{title:<16} ", "bold"), does)
