"""Giving a control command to a run, from outside its process."""

from __future__ import annotations

import getpass

from octotui.run.control import check_command
from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal
from octotui.run.process import is_alive


def give_command(run: RunDirectory, name: str, argument: str) -> int:
    """Puts a command into the run's journal, in this person's name; returns its id there.

    It is on the disk then, and its answer comes as an event; where nobody carries the run out it
    comes first when the run is taken up. Takes milliseconds. Raises OctotuiError, also where the
    command is wrong, and where a run that nobody carries out would surely refuse it.
    """
    check_command(name, argument)
    alive = is_alive(run)
    journal = Journal(run.journal, run.run_id)
    try:
        if not alive:
            # Loads the steps: whoever steers a run that lives does without.
            from octotui.run.foretelling import refuse_impossible

            refuse_impossible(journal, name, argument)
        return journal.command(name, argument, getpass.getuser())
    finally:
        journal.close()
