"""What a person has been told of the open run: answers, that it waits, faults. Nothing twice."""

from __future__ import annotations

from typing import Any

from textual.app import App

from octotui.tui import possible
from octotui.tui.situation import Situation
from octotui.tui.store import Store
from octotui.view import RunView


class Told:
    """Tells by the application's notifications. ``view``: what is in it already is not news."""

    def __init__(self, app: App[Any], view: RunView | None = None) -> None:
        self._app = app
        self._answers = len(view.commands) if view else 0
        self._offered: tuple[object, ...] = ()
        self._waits: tuple[object, ...] = ()
        self._fault = ""

    def fault(self, store: Store) -> None:
        """Says that the journal cannot be read any more; the screen stays as it was."""
        said = str(store.fault or "")
        if said and said != self._fault:
            title = "What is shown is not of now"
            self._app.notify(said, title=title, severity="error", timeout=30)
        self._fault = said

    def left_out(self, lines: int) -> None:
        """Says that of very long logs the beginning is not played."""
        if lines:
            self._app.notify(f"The first {lines:,} log lines are left out.", severity="warning")

    def answers(self, view: RunView) -> None:
        """Says what came of commands, whoever gave them."""
        for command in view.commands[self._answers :]:
            refused = command["answer"].startswith("refused: ")
            self._app.notify(
                command["answer"].removeprefix("refused: "),
                title=f"{command['command']} ({command['by']})" + (": refused" if refused else ""),
                severity="error" if refused else "information",
            )
        self._answers = len(view.commands)

    def offers(self, situation: Situation) -> bool:
        """Whether there is a decision to be made that was not offered yet; by this it is."""
        offer = _offer(situation)
        if not possible.decide(situation) or offer == self._offered:
            return False
        self._offered = self._waits = offer
        return True

    def waits(self, situation: Situation) -> None:
        """Says to a person who looks at something else that the run waits."""
        offer = _offer(situation)
        if possible.decide(situation) and offer not in (self._waits, self._offered):
            self._waits = offer
            what = "The run waits for you." if situation.alive else "The run's process is gone."
            self._app.notify(what, severity="warning", timeout=10)


def _offer(situation: Situation) -> tuple[object, ...]:
    """What tells one decision from the next."""
    view = situation.view
    return (view.state, view.state_since, situation.alive) if view else ()
