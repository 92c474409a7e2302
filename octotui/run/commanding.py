"""Giving a control command to a run, from outside its process."""

from __future__ import annotations

import getpass
from typing import NamedTuple

from octotui.api.errors import OctotuiError
from octotui.run.control import check_command
from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal, JournalReads
from octotui.run.process import is_alive_or
from octotui.upgrade.phases import FINAL


class Given(NamedTuple):
    """A command in the journal. ``taken_soon``: a process is there that takes it."""

    command_id: int
    taken_soon: bool


def give_command(run: RunDirectory, name: str, argument: str) -> Given:
    """Puts a command into the run's journal, in this person's name.

    It is on the disk then, and its answer comes as an event; where nobody carries the run out it
    comes first when the run is taken up. Takes milliseconds. Raises OctotuiError, and notes nothing
    then, where the command is wrong, the run has ended, or nobody carries it out and it would
    surely refuse.
    """
    check_command(name, argument)
    # A run of which nobody can tell is to be stopped all the same.
    alive = is_alive_or(run, unknown=True)
    journal = Journal(run.journal, run.run_id)
    try:
        if outcome := ended_as(journal):
            raise OctotuiError(f"run {run.run_id} has ended: {outcome}")
        if not alive:
            # Loads the steps: whoever steers a run that lives does without.
            from octotui.run.foretelling import refuse_impossible

            refuse_impossible(journal, name, argument)
        return Given(journal.command(name, argument, getpass.getuser()), alive)
    finally:
        journal.close()


def ended_as(journal: JournalReads) -> str:
    """How the run came to an end that it does not leave; empty where it did not."""
    state, ended = journal.last("state"), journal.last("run.ended")
    if state and state.data["to"] in FINAL:
        # The newest word on how it ended may be that of an earlier stop.
        told = ended is not None and ended.seq > state.seq
        return str(ended.data["outcome"] if ended and told else state.data["to"])
    refused = journal.last("run.refused") and not (state and state.data["changed"])
    return "refused" if refused else ""
