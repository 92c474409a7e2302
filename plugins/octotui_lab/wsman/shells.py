"""Shells and the commands that run in them."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from octotui_lab.remote import RemoteCommand
from octotui_lab.wsman.soap import no_such_command, no_such_shell, too_many_shells

#: Runs one command to its end and answers its exit code.
Handler: TypeAlias = Callable[[RemoteCommand], Awaitable[int]]

#: What cmd.exe takes; CreateProcess itself would take 32,767 characters.
COMMAND_LINE_LIMIT = 8191

#: STATUS_CONTROL_C_EXIT, the exit code of a program that was ended by a signal.
TERMINATED = 0xC000013A

_log = logging.getLogger(__name__)


class Command:
    """A command of a shell; to its handler it is a ``RemoteCommand``."""

    def __init__(self, command_line: str, user: str, handler: Handler) -> None:
        self.command_line = command_line
        self.user = user
        self.exit_code: int | None = None
        #: Set whenever there is output or an end that no Receive has taken yet.
        self.news = asyncio.Event()
        self._handler = handler
        self._output: list[tuple[str, bytes]] = []
        self._stdin = bytearray()
        self._stdin_ended = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def read_stdin(self) -> bytes:
        await self._stdin_ended.wait()
        return bytes(self._stdin)

    def write_stdout(self, data: bytes) -> None:
        self._write("stdout", data)

    def write_stderr(self, data: bytes) -> None:
        self._write("stderr", data)

    def feed(self, data: bytes, *, end: bool) -> None:
        """More standard input, and maybe its end."""
        self._stdin += data
        if end:
            self._stdin_ended.set()

    def take(self, limit: int) -> list[tuple[str, bytes]]:
        """Output that is due, about ``limit`` bytes of it; what is left stays for the next."""
        taken: list[tuple[str, bytes]] = []
        while self._output and limit > 0:
            stream, data = self._output.pop(0)
            if len(data) > limit:
                self._output.insert(0, (stream, data[limit:]))
                data = data[:limit]
            limit -= len(data)
            taken.append((stream, data))
        if not self._output and self.exit_code is None:
            self.news.clear()
        return taken

    @property
    def drained(self) -> bool:
        """It has ended and all of its output was taken."""
        return self.exit_code is not None and not self._output

    async def terminate(self) -> None:
        """Cancels the handler and waits until it is gone."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self.exit_code is None:  # cancelled before its first step
            self.exit_code = TERMINATED
            self.news.set()

    async def _run(self) -> None:
        try:
            if len(self.command_line) > COMMAND_LINE_LIMIT:
                self.write_stderr(b"The command line is too long.\r\n")
                exit_code = 1
            else:
                exit_code = await self._handler(self)
        except asyncio.CancelledError:
            exit_code = TERMINATED
        except Exception as error:
            _log.exception("a command of a simulated node failed")
            self.write_stderr(f"{type(error).__name__}: {error}\r\n".encode())
            exit_code = 1
        self.exit_code = exit_code
        self.news.set()

    def _write(self, stream: str, data: bytes) -> None:
        if data:
            self._output.append((stream, data))
            self.news.set()


class Shells:
    """All shells of one node, each its user's own."""

    def __init__(self, handler: Handler, shells_per_user: int) -> None:
        self._handler = handler
        self._shells_per_user = shells_per_user
        self._owner: dict[str, str] = {}
        self._commands: dict[str, dict[str, Command]] = {}

    def __len__(self) -> int:
        return len(self._owner)

    def open(self, user: str, shell_id: str = "") -> str:
        """A new shell. Raises Fault where the user has too many."""
        if sum(owner == user for owner in self._owner.values()) >= self._shells_per_user:
            raise too_many_shells(self._shells_per_user)
        shell_id = shell_id or str(uuid.uuid4()).upper()
        self._owner[shell_id] = user
        self._commands[shell_id] = {}
        return shell_id

    async def close(self, shell_id: str, user: str) -> None:
        """Ends a shell and, as a job object does, everything that runs in it."""
        self._check(shell_id, user)
        await self._drop(shell_id)

    async def close_all(self) -> None:
        """What a restart of the WinRM service does."""
        for shell_id in list(self._owner):
            await self._drop(shell_id)

    def start(self, shell_id: str, user: str, command_line: str, command_id: str = "") -> str:
        """Starts a command; the client may choose its id."""
        self._check(shell_id, user)
        command_id = command_id or str(uuid.uuid4()).upper()
        self._commands[shell_id][command_id] = Command(command_line, user, self._handler)
        return command_id

    def command(self, shell_id: str, user: str, command_id: str) -> Command:
        """A command that was not cleaned up yet. Raises Fault."""
        self._check(shell_id, user)
        try:
            return self._commands[shell_id][command_id]
        except KeyError:
            raise no_such_command(command_id) from None

    async def end(self, shell_id: str, user: str, command_id: str) -> None:
        """Terminates a command where it still runs, and forgets it."""
        command = self.command(shell_id, user, command_id)
        del self._commands[shell_id][command_id]
        await command.terminate()

    def _check(self, shell_id: str, user: str) -> None:
        if self._owner.get(shell_id) != user:
            raise no_such_shell(shell_id)

    async def _drop(self, shell_id: str) -> None:
        del self._owner[shell_id]
        for command in self._commands.pop(shell_id).values():
            await command.terminate()
