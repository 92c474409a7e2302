"""Runs one command line on a simulated node, as its ``cmd.exe`` would."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from octotui_lab import agent
from octotui_lab.hosts import WindowsHost
from octotui_lab.powershell.command_line import (
    BAD_ARGUMENTS,
    Invocation,
    NotPowerShell,
    UnusableArguments,
    split,
    understand,
)
from octotui_lab.remote import RemoteCommand

#: What cmd.exe says of a program that it does not find.
_NOT_FOUND = 9009
_FAILED = 1
_FILE_MISSING = 2
_PREPARE = "# octotui prepare"
_RECEIVE = "# octotui-winrm receive"
_SEND = "# octotui-winrm send"
#: Characters in a line of base64, as .NET breaks them.
_LINE = 76


async def execute(host: WindowsHost, command: RemoteCommand) -> int:
    """Runs the command to its end; the exit code. Jobs that it starts go on when it is cancelled.

    Knows the scripts of octotui's transports (prepare, receive, send), calls of the agent, and the
    small commands people try a connection with: ``whoami``, ``hostname``, ``ver``, ``echo``,
    ``exit N``.
    """
    try:
        invocation = understand(command.command_line)
    except NotPowerShell:
        return _small_command(host, command)
    except UnusableArguments as error:
        command.write_stderr(f"{error}\r\n".encode())
        return BAD_ARGUMENTS
    if invocation.file:
        return await _file(host, command, invocation)
    return await _script(host, command, invocation.text)


async def _file(host: WindowsHost, command: RemoteCommand, invocation: Invocation) -> int:
    if problem := _not_to_run(Path(invocation.file)):
        command.write_stderr(f"{problem}\r\n".encode())
        return BAD_ARGUMENTS
    operation = invocation.arguments[0] if invocation.arguments else ""
    told = await agent.answer(host, operation, await command.read_stdin(), command.user)
    command.write_stdout(told.encode("ascii"))
    return 0


def _not_to_run(file: Path) -> str:
    if not file.is_file():
        return f"The file {file} given to -File does not exist."
    if file.name.lower() != "agent.ps1":
        return f"{file}: without --powershell the lab runs no scripts but the agent."
    return ""


async def _script(host: WindowsHost, command: RemoteCommand, text: str) -> int:
    first_line = text.lstrip("\ufeff").split("\n", 1)[0].strip()
    if first_line == _PREPARE:
        command.write_stdout(agent.prepare(host).encode("ascii"))
        return 0
    if first_line in {_RECEIVE, _SEND}:
        return _transfer(command, await command.read_stdin(), receive=first_line == _RECEIVE)
    command.write_stderr(b"Without --powershell the lab runs no scripts but octotui's own.\r\n")
    return _FAILED


def _transfer(command: RemoteCommand, stdin: bytes, *, receive: bool) -> int:
    """A file to or from the node: its path in the first line, data in those that follow."""
    lines = stdin.decode("ascii", "replace").split()
    try:
        path = Path(base64.b64decode(lines[0], validate=True).decode("utf-8"))
        if not receive:
            return _send(path, command)
        path.write_bytes(base64.b64decode("".join(lines[1:]), validate=True))
    except (OSError, IndexError, ValueError) as error:
        command.write_stdout(f"{error}\r\n".encode())
        return _FAILED
    return 0


def _send(path: Path, command: RemoteCommand) -> int:
    if not path.is_file():
        return _FILE_MISSING
    text = base64.b64encode(path.read_bytes()).decode("ascii")
    for start in range(0, len(text), _LINE):
        command.write_stdout(f"{text[start : start + _LINE]}\r\n".encode("ascii"))
    return 0


def _small_command(host: WindowsHost, command: RemoteCommand) -> int:
    arguments = split(command.command_line)
    if [a.lower() for a in arguments[:2]] in (["cmd", "/c"], ["cmd.exe", "/c"]):
        arguments = arguments[2:]
    word = arguments[0].lower() if arguments else ""
    said = {
        "whoami": host.identity(command.user).lower(),
        "hostname": host.name,
        "ver": "Microsoft Windows [Version 10.0.20348.2849]",
        "echo": " ".join(arguments[1:]),
    }
    if word in said:
        command.write_stdout(f"{said[word]}\r\n".encode())
        return 0
    if word == "exit" and re.fullmatch(r"-?\d+", arguments[-1]):
        return int(arguments[-1])
    command.write_stderr(f"'{word}' is not recognized as a command of this lab.\r\n".encode())
    return _NOT_FOUND
