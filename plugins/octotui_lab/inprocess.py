"""The lab without sockets: a transport that runs commands on simulated nodes in this process.

For simulation tests, with a ``VirtualClock``. A hook may make any call fail before it reaches the
node or after it took effect there.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from octotui.api.errors import CredentialsRefused, FileMissing, TimedOut, Unreachable
from octotui.api.transport import Completed, Output
from octotui_lab import shell
from octotui_lab.clock import sleep_until
from octotui_lab.hosts import WindowsHost

#: When a hook is asked: before the call reaches the node, or after it took effect there.
Moment: TypeAlias = Literal["before", "after"]
#: Called with the moment and the command line (for files ``upload PATH``, ``download PATH``).
#: Whatever it raises is what the caller of the transport gets.
Hook: TypeAlias = Callable[[Moment, str], None]


def no_faults(moment: Moment, what: str) -> None:
    """A hook that lets everything through."""


class _Command:
    """The running command as ``shell.execute`` sees it."""

    def __init__(self, command_line: str, user: str, stdin: bytes, output: Output | None) -> None:
        self.command_line = command_line
        self.user = user
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._stdin = stdin
        self._output = output

    async def read_stdin(self) -> bytes:
        return self._stdin

    def write_stdout(self, data: bytes) -> None:
        self.stdout += data
        if self._output is not None:
            self._output("stdout", data)

    def write_stderr(self, data: bytes) -> None:
        self.stderr += data
        if self._output is not None:
            self._output("stderr", data)


class InProcessTransport:
    """``octotui.api.Transport`` to one simulated node. Time limits go by the world's clock."""

    def __init__(
        self, host: WindowsHost, *, user: str = "OCTOLAB\\admin", hook: Hook = no_faults
    ) -> None:
        self._host = host
        self._user = user
        self._hook = hook

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        output: Output | None = None,
    ) -> Completed:
        command_line = subprocess.list2cmdline(command)
        running = _Command(command_line, self._user, stdin, output)
        self._reach(command_line)
        exit_code = await self._within(timeout, running)
        self._hook("after", command_line)
        return Completed(exit_code, bytes(running.stdout), bytes(running.stderr))

    async def upload(self, data: bytes, path: str) -> None:
        self._reach(f"upload {path}")
        self._write(path, data)
        self._hook("after", f"upload {path}")

    async def download(self, path: str) -> bytes:
        self._reach(f"download {path}")
        data = self._read(path)
        self._hook("after", f"download {path}")
        return data

    async def close(self) -> None:
        """There is nothing to give up."""

    def _write(self, path: str, data: bytes) -> None:
        Path(path).write_bytes(data)

    def _read(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except FileNotFoundError as error:
            raise FileMissing(f"{path} does not exist", node=self._host.name) from error

    def _reach(self, what: str) -> None:
        name, world = self._host.name, self._host.world
        if world.take_fault(name, "unreachable") is not None:
            raise Unreachable(f"{name} refuses the connection", node=name)
        if world.take_fault(name, "wrong-credentials") is not None:
            raise CredentialsRefused(f"{name} refuses the account {self._user}", node=name)
        self._hook("before", what)

    async def _within(self, timeout: float, running: _Command) -> int:
        clock = self._host.world.schedule.clock
        work = asyncio.ensure_future(shell.execute(self._host, running))
        limit = asyncio.ensure_future(sleep_until(clock, clock.now() + timeout))
        try:
            await asyncio.wait((work, limit), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise TimedOut(
                    f"{running.command_line} did not end within {timeout:g} s",
                    node=self._host.name,
                )
            return work.result()
        finally:
            for task in (work, limit):
                task.cancel()
            await asyncio.gather(work, limit, return_exceptions=True)
