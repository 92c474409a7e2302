"""Control commands: how anybody steers a run. One table for the command line, help and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from octotui.api.errors import OctotuiError
from octotui.upgrade.phases import HOLDABLE


@dataclass(frozen=True, slots=True)
class ControlCommand:
    """``argument``: what it takes, or empty; ``optional``: it may be left away."""

    name: str
    does: str
    argument: str = ""
    optional: bool = False


COMMANDS: Final = (
    ControlCommand("hold", "stop before the next phase, or before PHASE", "PHASE", True),
    ControlCommand("release", "go on after a hold; 'release all' drops every hold", "all", True),
    ControlCommand("retry", "do again what failed, after looking at what was done"),
    ControlCommand("leave-out", "go on without NODE, which stays as it stands", "NODE"),
    ControlCommand("rollback", "put the old version back, without a restore"),
    ControlCommand("abort", "end the run, as long as nothing was changed"),
    ControlCommand("approve", "approve the plan"),
)

BY_NAME: Final = {command.name: command for command in COMMANDS}


def check_command(name: str, argument: str) -> None:
    """Raises OctotuiError where there is no such command, or its argument is wrong."""
    command = BY_NAME.get(name)
    if command is None:
        raise OctotuiError(
            f"there is no control command '{name}'",
            next_step=f"There are: {', '.join(BY_NAME)}",
        )
    if argument and not command.argument:
        raise OctotuiError(f"'{name}' takes nothing more, but was given '{argument}'")
    if command.argument and not argument and not command.optional:
        raise OctotuiError(f"'{name}' needs {command.argument}")
    if name == "release" and argument not in ("", "all"):
        raise OctotuiError(
            f"'release' takes nothing, or all, but was given '{argument}'",
            next_step="'release' goes on after a hold, 'release all' drops every hold",
        )
    if name == "hold" and argument not in ("", "next", *HOLDABLE):
        raise OctotuiError(
            f"there is no phase '{argument}' to hold before",
            next_step=f"There are: next, {', '.join(HOLDABLE)}",
        )
