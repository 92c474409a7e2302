"""Questions before a run is steered: a yes counts as long as it answers what is still so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from octotui.api.errors import OctotuiError
from octotui.run.journal import Command as Waiting
from octotui.tui.ahead import phases_ahead
from octotui.tui.command import Command
from octotui.tui.commands import BY_ID
from octotui.tui.store import Store

if TYPE_CHECKING:
    from octotui.tui.app import Cockpit

_NOTED: Final = "The command is noted: it comes first when somebody takes the run up."


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question is about: where it is another by the answer, the answer is of no use.

    ``waiting``: commands that come before the next one. A run that lives takes them at once.
    """

    state: str
    since: float
    hold: tuple[str, ...]
    alive: bool
    waiting: tuple[Waiting, ...]


async def ask(app: Cockpit, command: Command) -> None:
    """Puts the question; on a yes the run gets the command, or is taken up."""
    from octotui.tui.screens.confirm import Confirm

    store = app.store
    if not isinstance(store, Store):
        return  # a replay is not steered
    try:
        asked = await _asked(store)
        argument = command.argument(store.view)
        # The plan's screen is itself the confirmation: it says all that approving leads to.
        if command.id != "run.approve":
            question = Confirm(command, store.view, asked.waiting)
            if not await app.push_screen_wait(question):
                return
        still = await _asked(store) == asked
    except OctotuiError as error:
        _not_done(app, command, str(error))
    else:
        _carry_out(app, store, command, argument, asked, still=still)


async def ask_hold_before(app: Cockpit) -> None:
    """The choice names what each hold leaves behind: it is the confirmation, too."""
    from octotui.tui.screens.hold_before import HoldBefore

    store, command = app.store, BY_ID["run.hold-before"]
    if isinstance(store, Store) and (phase := await app.push_screen_wait(HoldBefore(store.view))):
        # Of a run that died meanwhile it is not possible: nothing waits before it.
        still = phase in phases_ahead(store.view)
        _carry_out(app, store, command, phase, _about(store, []), still=still)


async def _asked(store: Store) -> _Asked:
    return _about(store, [] if store.alive else await store.waiting_commands())


def _about(store: Store, waiting: Sequence[Waiting]) -> _Asked:
    view = store.view
    return _Asked(view.state, view.state_since, view.hold, store.alive, tuple(waiting))


def _carry_out(
    app: Cockpit, store: Store, command: Command, argument: str, asked: _Asked, *, still: bool
) -> None:
    """What was answered with yes, as long as it is ``still`` what was asked, and possible."""
    if still and command.possible(store.situation):
        # Not exclusive: what was answered is done, whatever is asked next.
        app.run_worker(_send(app, store, command, argument, asked), group="send")
    else:
        app.notify("The run has moved on meanwhile; nothing was sent.", title="Not sent")


async def _send(app: Cockpit, store: Store, command: Command, argument: str, asked: _Asked) -> None:
    """Sends it to the run that it was confirmed for, whatever is open by then.

    A run that nobody carried out is taken up for it.
    """
    noted = any((each.command, each.argument) == (command.control, argument)
                for each in asked.waiting)  # fmt: skip
    taken_soon = False
    try:
        if command.control and not noted:
            taken_soon = await store.send(command.control, argument)
            noted = True
            if asked.alive and not taken_soon:
                app.notify(f"The run's process is gone. {_NOTED}", title=command.title,
                           severity="warning", timeout=30)  # fmt: skip
        if not asked.alive and not taken_soon:
            await app.take_up(store)
    except (OctotuiError, OSError) as error:
        _not_done(app, command, f"{error} {_NOTED}" if noted else str(error))


def _not_done(app: Cockpit, command: Command, why: str) -> None:
    app.notify(why, title=f"{command.title}: not done", severity="error", timeout=30)
