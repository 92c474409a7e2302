"""The two PowerShell files that this package brings, and the command lines that run them."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

_POWERSHELL = ("powershell.exe", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass")


@cache
def agent() -> bytes:
    """The agent, as it is uploaded."""
    return files("octotui.windows").joinpath("agent.ps1").read_bytes()


@cache
def agent_sha256() -> str:
    """Lower-case hex."""
    return hashlib.sha256(agent()).hexdigest()


@cache
def prepare_command() -> tuple[str, ...]:
    """Runs ``prepare.ps1`` from the command line itself: there is no file on the node yet.

    cmd.exe takes 8,191 characters at most, and base64 of UTF-16 makes 2.7 of each; so comments and
    indentation stay here, except the first line, which names the script.
    """
    text = files("octotui.windows").joinpath("prepare.ps1").read_text(encoding="ascii")
    first, *rest = (line.strip() for line in text.splitlines())
    lines = [first, *(line for line in rest if line and not line.startswith("#"))]
    encoded = base64.b64encode("\n".join(lines).encode("utf-16-le")).decode("ascii")
    return (*_POWERSHELL, "-EncodedCommand", encoded)


def agent_command(agent_path: str, operation: str) -> tuple[str, ...]:
    """A call of the agent; everything but the operation's name goes over standard input."""
    return (*_POWERSHELL, "-File", agent_path, operation)
