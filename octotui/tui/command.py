"""A command of the screen: what it is called, where it is, when it is possible, what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from textual.binding import Binding

from octotui.tui import consequences as leaves
from octotui.tui import possible as when
from octotui.tui.situation import Situation
from octotui.view import RunView

#: Of which runs a command is: of any, of one that can still be acted on, of one played again.
Of: TypeAlias = Literal["any", "live", "replay"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    ``id`` is what a person's key file names. ``places`` are the screens that have it, ``does`` is
    its help. ``control`` is the journal's word for a command that steers the run; those have a
    ``consequence``, perhaps an ``argument``, and, where it cannot be taken back, a ``word`` that
    has to be typed. ``condition`` says when it can be done, of runs that it is ``of`` at all.
    ``node``: the one that it is about, where it was made for one.
    """

    id: str
    keys: str
    title: str
    does: str
    places: tuple[str, ...]
    action: str
    condition: Callable[[Situation], bool] = when.always
    control: str = ""
    consequence: Callable[[RunView], str] = leaves.nothing
    word: Callable[[RunView], str] = leaves.nothing
    argument: Callable[[RunView], str] = leaves.nothing
    listed: bool = True
    of: Of = "any"
    node: str = ""

    def fits(self, situation: Situation) -> bool:
        """Whether it is of such a run at all: a replay has no command that acts on the run."""
        return self.of == "any" or (self.of == "replay") == situation.replayed

    def possible(self, situation: Situation) -> bool:
        """Whether it does something now. Everything that offers or carries out asks here."""
        return self.fits(situation) and self.condition(situation)

    def binding(self) -> Binding:
        return Binding(
            self.keys,
            self.action,
            self.title,
            show=self.listed,
            tooltip=self.does,
            id=self.id,
        )
