"""The phases of an upgrade and the states of a run: the only list of them.

The machine, the plan, the command line's help and the documents are all made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Phase:
    """One state of a run in which work is done.

    ``holdable``: a person may have the run stop before it. ``changes``: it may change the world
    (staging writes files only, which is no change that users could notice). ``cluster_only``:
    there is no such phase for a single server.
    """

    name: str
    title: str
    holdable: bool = True
    changes: bool = True
    cluster_only: bool = False


PHASES: Final = (
    Phase("preflight", "read all facts and run every check", holdable=False, changes=False),
    Phase("ready", "wait for approval", holdable=False, changes=False),
    Phase("staging", "download, verify, put the packages on every node", changes=False),
    Phase("maintenance", "maintenance mode on"),
    Phase("draining", "drain every node, wait for running tasks"),
    Phase("stopping", "park what restarts services, stop every node, prove it"),
    Phase("installing", "install the new package, back up the database beside it"),
    Phase("migrating", "point of no return: upgrade the database once"),
    Phase("starting", "start the first node and prove it"),
    Phase("joining", "install, start and prove the other nodes", cluster_only=True),
    Phase("finishing", "put everything back as it was found"),
)

ROLLING_BACK: Final = Phase("rolling_back", "put the old version back", holdable=False)

BY_NAME: Final = {phase.name: phase for phase in (*PHASES, ROLLING_BACK)}

HOLDABLE: Final = tuple(phase.name for phase in PHASES if phase.holdable)

#: States in which nothing is done: the run waits for a person.
WAITING: Final = ("held", "needs_person")

#: States that a run does not leave.
FINAL: Final = ("succeeded", "aborted", "rolled_back", "failed")

#: The phase after which only a restore leads back (``domain.md`` 1.8).
POINT_OF_NO_RETURN: Final = "migrating"


def sequence(cluster: bool) -> tuple[str, ...]:
    """The phases in order, for a cluster or for a single server."""
    return tuple(phase.name for phase in PHASES if cluster or not phase.cluster_only)


def following(phase: str, cluster: bool) -> str:
    """The phase after ``phase``, or ``succeeded`` after the last."""
    phases = sequence(cluster)
    index = phases.index(phase) + 1
    return phases[index] if index < len(phases) else "succeeded"
