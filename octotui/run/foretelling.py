"""What a run that nobody carries out now would answer, told from its journal alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.run.journal import MISFIT, Journal, JournalError
from octotui.run.ledger import Ledger
from octotui.run.steering import Steering
from octotui.upgrade.machine import Marks, RunMachine


def refuse_impossible(journal: Journal, command: str, argument: str) -> None:
    """Raises OctotuiError where the run would surely refuse this command when taken up again.

    Commands that wait already come before it. What only a look at the world can tell, whether the
    database is unchanged after a failed upgrade, counts as well here: the run will look.
    """
    ledger = _ledger(journal)
    steering = _rehearsal(journal, ledger)
    for waiting in journal.pending_commands():
        with suppress(OctotuiError):
            steering.obey(waiting.command, waiting.argument)
    steering.obey(command, argument)


def _ledger(journal: Journal) -> Ledger:
    ledger = Ledger()
    for event in journal.events():
        try:
            ledger.apply(event)
        except MISFIT as error:
            raise JournalError(
                f"the journal {journal.path} cannot be understood: its event {event.seq} "
                f"({event.kind}) does not fit",
                meaning="What the run would do with a command is not known",
                left="Nothing was noted",
                next_step=f"octotui bundle {journal.run_id} saves what can still be read of it",
            ) from error
    return ledger


def _rehearsal(journal: Journal, ledger: Ledger) -> Steering:
    """Steering of a run that exists in memory only: it writes nothing and stops nothing."""

    def append(subject: str, kind: str, data: Mapping[str, Any]) -> Event:
        return Event(0, 0.0, journal.run_id, subject, kind, data)

    plan, failed = ledger.plan, ledger.failed_nodes
    touched = any(".install@" in step for step in ledger.begun)
    machine = RunMachine(
        cluster=plan is None or plan.is_cluster,
        write_ahead=lambda source, target, trigger: None,
        state=ledger.state,
        marks=Marks(
            changed=ledger.changed,
            schema_unchanged=not ledger.database_upgraded,
            old_package=not touched or (plan is not None and plan.installed is not None),
            hold=ledger.hold or frozenset(),
            waiting_phase=ledger.waiting_phase,
            can_leave_out=plan is not None
            and bool(failed)
            and failed.isdisjoint({None, plan.first_node}),
        ),
    )
    return Steering(journal, ledger, machine, append, lambda: None)
