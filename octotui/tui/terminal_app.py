"""What an application owes its terminal: to end with it, its colours, copying, the mouse."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rich.text import Text
from textual.app import App, SystemCommand
from textual.css.query import NoMatches
from textual.notifications import SeverityLevel
from textual.screen import Screen

from octotui.run.directory import RunDirectory
from octotui.tui.keymap import Settings
from octotui.tui.shown_key import shown_key
from octotui.tui.terminal import (
    HUNG_UP,
    Void,
    clipboard_sequence,
    exit_on_loss,
    is_remote,
    keep_fault,
    yank,
)
from octotui.tui.theme import OCTOTUI, theme_for

#: A person left, wants plain lines instead, or the terminal was lost.
How: TypeAlias = Literal["leave", "stream", "lost"]


@dataclass(frozen=True, slots=True)
class Leave:
    """How a person left. ``run`` was open; its events up to ``seen`` were there at the start."""

    how: How
    run: RunDirectory | None = None
    seen: int = 0


class TerminalApp(App[Leave]):
    """An application that outlives nothing: where its terminal is lost, it ends."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        # Textual looks at the theme too early: greys made of the terminal's colours are all black.
        super().__init__(ansi_color=True if environment.get("NO_COLOR") else None)
        self.settings = settings
        self.mouse = settings.mouse
        if self.mouse is None:
            self.mouse = not is_remote(environment)
        self._environment = environment
        self.register_theme(OCTOTUI)
        self._begin_with(self._theme())
        self.set_keymap(settings.keys)

    def leaving(self, how: How) -> Leave:
        """What the command line is told when the screen is left."""
        return Leave(how)

    def _begin_with(self, theme: str) -> None:
        if theme != OCTOTUI.name:
            self.theme = theme
            return
        # The same without telling anybody: all style sheets would be read a second time for it.
        self.set_reactive(App.theme, theme)
        self.set_class(True, f"-theme-{theme}", update=False)
        self.stylesheet.set_variables(self.get_css_variables())

    def _theme(self) -> str:
        name = theme_for(self._environment, self.settings.theme)
        return name if name in self.available_themes else OCTOTUI.name

    async def run_async(self, *arguments: Any, **options: Any) -> Leave | None:
        exit_on_loss(self._lost)  # before anything is written to the terminal
        return await super().run_async(*arguments, **options)

    def on_mount(self) -> None:
        if faults := self.settings.faults:
            self.notify("\n".join(faults), title="Settings", severity="warning", timeout=15)

    def _lost(self, code: int) -> None:
        """The terminal is gone, or the process is told to end."""
        if code == HUNG_UP and self._driver is not None:
            self._driver._writer_thread = Void()  # type: ignore[attr-defined]
        self.exit(self.leaving("lost"), return_code=code)

    def _handle_exception(self, error: Exception) -> None:
        """Once an application ends Textual makes no widgets any more, and who wants one fails."""
        if not (self._exit and isinstance(error, NoMatches)):
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Ends the screen at a defect of ours. Textual would print what every variable holds."""
        path = keep_fault(traceback.format_exc())
        error = sys.exc_info()[1]
        words = (
            f"octotui: the screen met a defect of its own and was closed: {type(error).__name__}: "
            f"{error}.\nA run that works goes on without it: octotui attach\n"
        )
        if path:
            words += f"For whoever mends it: {path}"
        self._exit_renderables.append(Text(words))
        self._close_messages_no_wait()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Tells something. What nodes and files say is in it: square brackets are no markup."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def copy_to_clipboard(self, text: str) -> None:
        """Into the terminal's clipboard, also through tmux and SSH; and into a file."""
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(clipboard_sequence(text, tmux="TMUX" in self._environment))

    def copy(self, text: str) -> None:
        """Copies, and says where the text is if the terminal did not take it."""
        self.copy_to_clipboard(text)
        path = yank(text)
        self.notify(f"Copied. Also in {path}" if path else "Copied.", timeout=4)

    def toggle_mouse(self) -> None:
        """Textual has no public way to do this while it runs; its drivers have these two."""
        driver = self._driver
        self.mouse = not self.mouse
        change = "_enable_mouse_support" if self.mouse else "_disable_mouse_support"
        if driver is not None and hasattr(driver, change):
            driver._mouse = True
            getattr(driver, change)()
        back = f"The mouse works here. {shown_key('mouse', self.settings.keys)} gives it back."
        self.notify(back if self.mouse else "The mouse selects text again.")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
