"""What all screens of a run have in common: they are told the time, and they steer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from octotui.tui.choices import LEAVE_OUT, leaving_out
from octotui.tui.command import Command
from octotui.tui.commands import BY_ID, command_of
from octotui.tui.possible import leavable_nodes
from octotui.tui.situation import Situation
from octotui.tui.store import Store

#: Longer than a frame of Textual's, seconds.
FRAME: Final = 0.02

if TYPE_CHECKING:
    from octotui.tui.app import Cockpit
    from octotui.tui.replay import ReplayStore
    from octotui.tui.widgets.replay_bar import ReplayBar


class Line(Static):
    """Text that is painted only when it differs from what is there."""

    _said: Content | None = None

    def say(self, text: Content) -> None:
        said, self._said = self._said, text
        if said is None:
            self.update(text)
        elif not text.is_same(said):
            # A new layout of the whole screen only where the height is another one.
            self.update(text, layout=self._height_of(text) != self._height_of(said))

    def _height_of(self, text: Content) -> int | Content:
        width = self.content_size.width
        if not width:
            return text  # before the first layout no two texts are as high
        return text.get_height(self.styles.get_rules(), width)


class Entry(Input):
    """A line to type into. Its cursor does not blink: on a slow link that is traffic."""

    def on_mount(self) -> None:
        self.cursor_blink = False


class KeyLine(Line):
    """The keys that do something here and now, as many as fit, with the ways out at the end.

    Those of the part that has the focus come first.
    """

    DEFAULT_CSS = "KeyLine { dock: bottom; height: 1; background: $panel; text-wrap: nowrap; }"

    def refresh_keys(self) -> None:
        own: list[Content] = []
        first: list[Content] = []
        last: list[Content] = []
        told = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            is_part_s = binding.id not in BY_ID and active.node is self.screen.focused
            # Of several keys of one command the first is told.
            if binding.id in told or not binding.show or not (is_part_s or binding.id in BY_ID):
                continue
            told.add(binding.id)
            key = self.app.get_key_display(binding)
            text = Content.assemble((f" {key}", "bold $accent"), f" {binding.description} ")
            is_way_out = binding.id in ("back", "help", "quit")
            (own if is_part_s else last if is_way_out else first).append(text)
        room = self.size.width - sum(text.cell_length for text in last)
        shown = []
        for text in own + first:
            room -= text.cell_length
            if room < 0:
                break
            shown.append(text)
        self.say(Content("").join(shown + last))

    def on_resize(self) -> None:
        self.refresh_keys()


class CockpitScreen(Screen[Any]):
    """A screen of the cockpit. It keeps nothing but cursor and focus: the store has the rest."""

    #: The name by which the table of commands knows it.
    PLACE: ClassVar[str]

    app: Cockpit

    @property
    def store(self) -> Store | ReplayStore:
        """The open run. Only screens that need one are shown without a home."""
        store = self.app.store
        assert store is not None, f"{self.PLACE} is shown with a run only"
        return store

    @property
    def situation(self) -> Situation:
        store = self.app.store
        return store.situation if store else Situation()

    def show(self, situation: Situation, now: float) -> None:
        """Called four times a second while this screen is on top; cheap where nothing changed."""

    _composed = False
    _bar: ReplayBar | None = None

    def parts(self) -> tuple[Callable[[Situation, float], None], ...]:
        """``show`` in parts, where painting all of it at once would hold up the loop."""
        return (self.show,)

    def tick(self, now: float) -> None:
        if not self._composed:
            return  # it is on the stack, but its parts are not there yet
        for part in (*self.parts(), self._show_keys):
            part(self.situation, now)

    async def tick_in_turns(self, now: float) -> None:
        """The same with a frame's time between the parts, so that each is painted by itself."""
        store = self.app.store
        for part in (*self.parts(), self._show_keys):
            left = self.app.store is not store  # back at home, or in another run, between two turns
            if left or not self._composed or not self.is_running:
                return
            part(self.situation, now)
            await asyncio.sleep(FRAME)

    def _show_keys(self, situation: Situation, now: float) -> None:
        if self._bar is not None:
            self._bar.show()
        for line in self.query(KeyLine):
            line.refresh_keys()

    def on_mount(self) -> None:
        self._composed = True
        if self.situation.replayed and self._bar is None:
            self._mount_bar()
        self.tick(self.app.now())

    def _mount_bar(self) -> None:
        from octotui.tui.replay import ReplayStore
        from octotui.tui.widgets.replay_bar import ReplayBar

        store, keys = self.store, self.query(KeyLine)
        if isinstance(store, ReplayStore) and keys:
            self._bar = ReplayBar(store)
            self.mount(self._bar, before=keys.first())

    def on_screen_resume(self) -> None:
        self.tick(self.app.now())

    def command(self, action: str, parameters: tuple[object, ...]) -> Command | None:
        return command_of(self.PLACE, action, parameters)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        command = self.command(action, parameters)
        return command is None or command.possible(self.situation)

    def action_steer(self, name: str) -> None:
        """Confirms a command in words that name its consequence, then sends it."""
        command = self.meant(BY_ID[f"run.{name}"])
        if command is not None:
            self.ask(command)

    def meant(self, command: Command) -> Command | None:
        """The command about the node here, where it is about one; None where it cannot be."""
        if command.id != LEAVE_OUT:
            return command
        here, failed = self.node_here(), leavable_nodes(self.store.view)
        if here in failed:
            return leaving_out(here)
        text = f"{here or 'It'} has not failed. Go to one that has: {', '.join(failed)}."
        self.app.notify(text, title="Nothing was sent", severity="warning")
        return None

    def ask(self, command: Command) -> None:
        """Puts the question; on a yes the run gets the command, or is taken up."""
        from octotui.tui import questions

        self.app.run_worker(questions.ask(self.app, command), exclusive=True, group="question")

    def action_hold_before(self) -> None:
        from octotui.tui import questions

        self.app.run_worker(questions.ask_hold_before(self.app), exclusive=True, group="question")

    def action_resume(self) -> None:
        self.ask(BY_ID["run.resume"])

    def action_move_replay(self, move: str) -> None:
        self.app.move_replay(move)

    def action_replay(self) -> None:
        self.app.replay(self.store.run)

    def action_back(self) -> None:
        self.app.back()

    def action_show_help(self) -> None:
        from octotui.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.PLACE))

    def action_leave(self) -> None:
        self.app.leave()

    def action_stream(self) -> None:
        self.app.stream()

    def action_toggle_mouse(self) -> None:
        self.app.toggle_mouse()

    def action_plan(self) -> None:
        from octotui.tui.screens.plan import PlanScreen

        self.app.push_screen(PlanScreen())

    def node_here(self) -> str:
        """The node that a command about one node means on this screen; empty for none."""
        return ""

    def action_installer_log(self) -> None:
        from octotui.tui.screens.kept_log import KeptLogScreen

        if node := self.node_here():
            self.app.push_screen(KeptLogScreen(node))

    def action_decide(self) -> None:
        from octotui.tui.screens.decision import DecisionScreen

        self.app.push_screen(DecisionScreen())

    def action_bundle(self) -> None:
        from octotui.tui import bundle

        bundle.begin(self.app, self.store.run)

    def action_copy_text(self) -> None:
        self.app.copy(self.text())

    def text(self) -> str:
        """What the screen says, for copying."""
        return ""
