"""What a Windows command line says, and what ``powershell.exe`` makes of it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

#: What powershell.exe 5.1 exits with when it cannot make sense of its own arguments (0xFFFD0000).
BAD_ARGUMENTS = 0xFFFD0000

_SWITCHES = ("nologo", "noexit", "sta", "mta", "noprofile", "noninteractive")
_WITH_VALUE = (
    "psconsolefile",
    "version",
    "inputformat",
    "outputformat",
    "windowstyle",
    "configurationname",
    "executionpolicy",
)
_ABBREVIATIONS = {"ep": "executionpolicy", "ex": "executionpolicy", "e": "encodedcommand"} | {
    "ec": "encodedcommand",
    "nop": "noprofile",
    "noni": "noninteractive",
}


class NotPowerShell(Exception):
    """The command line starts another program. Its argument is that program's name."""


class UnusableArguments(Exception):
    """powershell.exe would print this message and exit with ``BAD_ARGUMENTS``."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What powershell.exe is asked to run: a script file with arguments, or a script's text."""

    file: str = ""
    arguments: tuple[str, ...] = ()
    text: str = ""


def split(command_line: str) -> list[str]:
    """The arguments as a Windows program's start-up code splits them.

    Backslashes are plain except before a quotation mark: 2n of them and a mark are n backslashes
    and a delimiter, 2n+1 are n backslashes and a plain mark. Two marks inside of marks are one.
    """
    arguments: list[str] = []
    current: list[str] = []
    begun = quoted = False
    position = 0
    while position < len(command_line):
        character = command_line[position]
        if character == "\\":
            end = position
            while end < len(command_line) and command_line[end] == "\\":
                end += 1
            count = end - position
            before_mark = end < len(command_line) and command_line[end] == '"'
            current.append("\\" * (count // 2 if before_mark else count))
            if before_mark and count % 2:
                current.append('"')
                end += 1
            begun = True
            position = end
            continue
        if character == '"':
            if quoted and command_line[position + 1 : position + 2] == '"':
                current.append('"')
                position += 1
            else:
                quoted = not quoted
            begun = True
        elif character in " \t" and not quoted:
            if begun:
                arguments.append("".join(current))
            current, begun = [], False
        else:
            current.append(character)
            begun = True
        position += 1
    if begun:
        arguments.append("".join(current))
    return arguments


def understand(command_line: str) -> Invocation:
    """What powershell.exe is to do. Raises NotPowerShell or UnusableArguments."""
    program, *rest = split(command_line) or [""]
    name = program.replace("\\", "/").rpartition("/")[2].lower()
    if name not in ("powershell", "powershell.exe"):
        raise NotPowerShell(program)
    while rest:
        option, rest = rest[0], rest[1:]
        word = _option(option)
        if word in _SWITCHES:
            continue
        if word in _WITH_VALUE and rest:
            rest = rest[1:]
        elif word == "file" and rest:
            return Invocation(file=rest[0], arguments=tuple(rest[1:]))
        elif word == "encodedcommand" and rest:
            return Invocation(text=_decoded(rest[0]))
        elif word == "command" and rest:
            return Invocation(text=" ".join(rest))
        elif not option.startswith(("-", "/")):
            return Invocation(text=" ".join((option, *rest)))
        else:
            raise UnusableArguments(f"{option} : this argument is unknown or lacks its value.")
    raise UnusableArguments("Nothing to run: an interactive session is not possible here.")


def _option(argument: str) -> str:
    """The full name of an option, which powershell.exe takes by any beginning that is its own."""
    if not argument.startswith(("-", "/")):
        return ""
    word = argument[1:].lower()
    if word in _ABBREVIATIONS:
        return _ABBREVIATIONS[word]
    known = (*_SWITCHES, *_WITH_VALUE, "file", "encodedcommand", "command")
    fitting = [name for name in known if word and name.startswith(word)]
    return fitting[0] if len(fitting) == 1 or word in ("c", "f") else ""


def _decoded(argument: str) -> str:
    try:
        return base64.b64decode(argument, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnusableArguments(
            "Cannot process the command because the value of -EncodedCommand is not properly "
            "encoded: it must be base64 of UTF-16."
        ) from error
