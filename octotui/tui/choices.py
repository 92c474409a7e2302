"""What a person can decide about a run that waits, made of the table of commands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from octotui.tui import consequences as leaves
from octotui.tui import possible as when
from octotui.tui.command import Command
from octotui.tui.commands import BY_ID, COMMANDS
from octotui.tui.situation import Situation

#: It is about one node: the table's own says nothing and sends nothing, see ``leaving_out``.
LEAVE_OUT: Final = "run.leave-out"


def leaving_out(node: str) -> Command:
    """Leaving out that node: what is asked for, typed and sent is its name and no other."""
    return replace(
        BY_ID[LEAVE_OUT],
        title=f"leave out {node}",
        node=node,
        consequence=partial(leaves.leave_out, node=node),
        word=lambda view: node,
        argument=lambda view: node,
    )


def choices(situation: Situation) -> list[Command]:
    """What a person can decide now, the harmless first; leaving out once a node that failed."""
    found: list[Command] = []
    for command in COMMANDS:
        if not ("decision" in command.places and _decides(command) and command.possible(situation)):
            continue
        if command.id == LEAVE_OUT and situation.view is not None:
            found += [leaving_out(node) for node in when.leavable_nodes(situation.view)]
        else:
            found.append(command)
    return found


def _decides(command: Command) -> bool:
    return bool(command.control) or command.id == "run.resume"
