"""What decides which commands are possible and what the screens say."""

from __future__ import annotations

from dataclasses import dataclass

from octotui.view import RunView


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides which commands are possible. ``view`` None: no run is open.

    ``alive``: a runner works on it now. ``replayed``: it is a past run that is played again.
    """

    view: RunView | None = None
    alive: bool = False
    replayed: bool = False

    @property
    def state(self) -> str:
        return self.view.state if self.view else ""

    @property
    def at_work(self) -> bool:
        """Whether what is under way goes on. Of a run that ended nothing is under way."""
        return self.alive or self.replayed or self.ended

    @property
    def ended(self) -> bool:
        return bool(self.view and self.view.outcome)
