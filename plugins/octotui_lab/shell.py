"""Runs one command line on a simulated node, as its ``cmd.exe`` would."""

from __future__ import annotations

from octotui_lab.hosts import WindowsHost
from octotui_lab.remote import RemoteCommand


async def execute(host: WindowsHost, command: RemoteCommand) -> int:
    """Runs the command to its end; the exit code. Jobs that it starts go on when it is cancelled.

    Knows the scripts of octotui's transports (prepare, receive, send), calls of the agent, and the
    small commands people try a connection with: ``whoami``, ``hostname``, ``ver``, ``echo``,
    ``exit N``.
    """
    raise NotImplementedError
