"""The command palette: what the screen below can do now, with what each command does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from octotui.tui.command import Command
from octotui.tui.commands import commands_of


class CommandsOfScreen(Provider):
    """Hits are made of the table of commands."""

    def _possible(self) -> Iterator[Command]:
        place = getattr(self.screen, "PLACE", "")
        situation = getattr(self.screen, "situation", None)
        for command in commands_of(place):
            if situation is not None and command.possible(situation):
                yield command

    async def discover(self) -> Hits:
        for command in self._possible():
            run = partial(self.screen.run_action, command.action)
            yield DiscoveryHit(command.title, run, help=command.does)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._possible():
            text = f"{command.title}: {command.does}"
            if (score := matcher.match(text)) > 0:
                run = partial(self.screen.run_action, command.action)
                yield Hit(score, matcher.highlight(text), run, text=command.title)
