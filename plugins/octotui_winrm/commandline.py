"""Command lines as a node's cmd.exe takes them: WinRM's command shell runs all through it.

(The option that leaves cmd.exe out is ignored by Windows Server 2012 R2 and later.)
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Sequence
from importlib import resources

from octotui.api.errors import TransportError

#: Characters that cmd.exe takes in one line; it answers more with an error of its own.
LIMIT = 8191

#: What cmd.exe acts upon outside of double quotes.
_OPERATORS = frozenset("&|<>^()")

_POWERSHELL = (
    "powershell.exe",
    "-NoProfile",
    "-NonInteractive",
    "-ExecutionPolicy",
    "Bypass",
    "-EncodedCommand",
)


def command_line(command: Sequence[str], node: str) -> tuple[str, str]:
    """The program and the rest of the line, quoted so that the program gets these arguments.

    Raises TransportError where the line is too long, or cannot be written so that cmd.exe leaves
    it alone.
    """
    words = [_quoted(argument) for argument in command]
    line = " ".join(words)
    if len(line) > LIMIT:
        raise TransportError(
            f"a command line of {len(line)} characters is too long for WinRM, which takes {LIMIT}",
            node=node,
            meaning="Nothing was sent.",
            next_step="Give long values on standard input.",
        )
    if trouble := _trouble(line):
        raise TransportError(
            f"a command line with {trouble} cannot be sent over WinRM, "
            "because cmd.exe would change it",
            node=node,
            meaning="Nothing was sent.",
            next_step="Give such values on standard input.",
        )
    return words[0], " ".join(words[1:])


def script_command(name: str) -> list[str]:
    """The command that runs one of this package's scripts (``receive.ps1``, ``send.ps1``)."""
    script = resources.files(__package__).joinpath(name).read_text(encoding="ascii")
    return [*_POWERSHELL, base64.b64encode(script.encode("utf-16-le")).decode("ascii")]


def _quoted(argument: str) -> str:
    quoted = subprocess.list2cmdline([argument])
    if quoted.startswith('"') or not _OPERATORS.intersection(argument):
        return quoted
    # A blank makes list2cmdline quote the argument; it is taken out again before the last quote,
    # together with nothing else: backslashes before it would have to be doubled.
    trailing = len(argument) - len(argument.rstrip("\\"))
    return subprocess.list2cmdline([argument + " "])[:-2] + "\\" * trailing + '"'


def _trouble(line: str) -> str:
    """What in the line cmd.exe would act upon, or an empty text."""
    inside_quotes = False
    for character in line:
        if character == '"':
            inside_quotes = not inside_quotes
        elif character == "%":
            return "a percent sign"
        elif character < " ":
            return "a control character"
        elif character in _OPERATORS and not inside_quotes:
            return f"{character} beside a quotation mark"
    return ""
