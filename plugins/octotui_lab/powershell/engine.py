"""One PowerShell process for a simulated node, which runs every call in a fresh runspace.

Starting a PowerShell costs a third of a second and 130 MB, a runspace some 40 ms and little else
(measured); a node on Windows starts one for each call, so what a call can see of another is kept as
small here: the processes' environment and files, nothing of the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

from octotui_lab.powershell.command_line import (
    BAD_ARGUMENTS,
    Invocation,
    NotPowerShell,
    UnusableArguments,
    understand,
)
from octotui_lab.powershell.node import prepare_node, registry_file
from octotui_lab.powershell.registry import refresh_registry
from octotui_lab.remote import RemoteCommand

#: What the calls of an engine that died exit with: Windows' code for a process that was ended.
KILLED = 1

_HOST = Path(__file__).with_name("host.ps1")
_SHIM = Path(__file__).with_name("shim")
#: An answer holds at most 64 KiB of a job's output, escaped several times over.
_LINE_LIMIT = 64 * 1024 * 1024
_STOP_SECONDS = 5.0


class PowerShellMissing(Exception):
    """The PowerShell that was named cannot be started; the message says why."""


@dataclass(eq=False)
class _Process:
    """A running engine and what its calls are waiting for."""

    process: asyncio.subprocess.Process
    answers: asyncio.StreamReader
    requests: asyncio.StreamWriter
    calls: dict[int, asyncio.Queue[dict[str, Any] | None]] = field(default_factory=dict)
    reader: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return (
            self.process.returncode is None and self.reader is not None and not self.reader.done()
        )


class PowerShellEngine:
    """Answers a node's WinRM commands by running PowerShell.

    ``node_root`` is the node's own folder, ``control_url`` the lab's control server, which the
    shim asks for everything that is Windows. Use as an asynchronous context manager. A process
    that died is replaced when it is next needed.
    """

    def __init__(self, pwsh: Path, node_root: Path, control_url: str, node_name: str) -> None:
        self._pwsh = pwsh
        self._node_root = node_root
        self._control_url = control_url
        self._node_name = node_name
        self._numbers = count(1)
        self._starting = asyncio.Lock()
        self._current: _Process | None = None

    async def __aenter__(self) -> Self:
        await self._running()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def process_id(self) -> int:
        """The engine's process id, which is every script's ``$PID``; 0 while none runs."""
        return self._current.process.pid if self._current and self._current.alive else 0

    async def execute(self, command: RemoteCommand) -> int:
        """Runs a command line of powershell.exe; the exit code is the one it would have.

        Cancelling stops the script. A script whose engine dies exits with ``KILLED``.
        """
        stdin = await command.read_stdin()
        try:
            invocation = understand(command.command_line)
        except NotPowerShell as error:
            message = f"'{error}' is not recognized as a program of this simulated node.\r\n"
            command.write_stderr(message.encode())
            return 1
        except UnusableArguments as error:
            command.write_stderr(f"{error}\r\n".encode())
            return BAD_ARGUMENTS
        engine = await self._running()
        await asyncio.to_thread(
            refresh_registry,
            registry_file(self._node_root),
            self._control_url,
            self._node_name,
        )
        async for answer in self._answers(engine, invocation, command.user, stdin):
            if "stdout" in answer:
                command.write_stdout(answer["stdout"].encode())
            elif "stderr" in answer:
                command.write_stderr(answer["stderr"].encode())
            else:
                return int(answer["exit"]) & 0xFFFFFFFF
        return KILLED

    async def close(self) -> None:
        """Ends the engine and everything in it, jobs included. May be called twice."""
        engine, self._current = self._current, None
        if engine is None:
            return
        _kill(engine.process)
        await engine.process.wait()
        if engine.reader is not None:
            await engine.reader

    async def power_off(self) -> None:
        """Ends the engine as a power cut would; the next call finds a node that has booted."""
        await self.close()

    async def _answers(
        self, engine: _Process, invocation: Invocation, user: str, stdin: bytes
    ) -> AsyncIterator[dict[str, Any]]:
        number = next(self._numbers)
        answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        engine.calls[number] = answers
        request: dict[str, Any] = {
            "call": number,
            "user": user,
            "lines": stdin.decode("utf-8", "replace").splitlines(),
        }
        if invocation.file:
            request |= {"file": invocation.file, "arguments": invocation.arguments}
        else:
            request["text"] = invocation.text
        ended = False
        try:
            await _send(engine, request)
            while (answer := await answers.get()) is not None:
                ended = "exit" in answer
                yield answer
            ended = True
        finally:
            del engine.calls[number]
            if not ended:
                await asyncio.shield(_send(engine, {"call": number, "stop": True}))

    async def _running(self) -> _Process:
        async with self._starting:
            if self._current is None or not self._current.alive:
                await self.close()
                self._current = await self._start()
            return self._current

    async def _start(self) -> _Process:
        environment = prepare_node(self._node_root, self._control_url, self._node_name)
        # A folder of its own: socket paths are short, and nobody else may connect.
        with tempfile.TemporaryDirectory(prefix="octotui-") as folder:
            channel = Path(folder) / "engine"
            connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
            connected = asyncio.get_running_loop().create_future()
            server = await asyncio.start_unix_server(
                lambda reader, writer: connected.set_result((reader, writer)),
                channel,
                limit=_LINE_LIMIT,
            )
            async with server:
                process = await self._spawn(channel, environment)
                ended = asyncio.create_task(process.wait())
                await asyncio.wait((connected, ended), return_when=asyncio.FIRST_COMPLETED)
                if not connected.done():
                    raise PowerShellMissing(
                        f"{self._pwsh} ended before it could take a call; {self._log} may say why"
                    )
                ended.cancel()
        engine = _Process(process, *connected.result())
        engine.reader = asyncio.create_task(_read_answers(engine))
        return engine

    async def _spawn(
        self, channel: Path, environment: dict[str, str]
    ) -> asyncio.subprocess.Process:
        arguments = ("-NoProfile", "-NonInteractive", "-File", _HOST, channel, _SHIM)
        with self._log.open("wb") as log:
            try:
                return await asyncio.create_subprocess_exec(
                    self._pwsh,
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise PowerShellMissing(
                    f"{self._pwsh} cannot be started: {error.strerror}"
                ) from error

    @property
    def _log(self) -> Path:
        return self._node_root / "powershell.log"


def _kill(process: asyncio.subprocess.Process) -> None:
    """Ends the engine and every program that its scripts started."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


async def _send(engine: _Process, request: dict[str, Any]) -> None:
    """A request to an engine that is gone is lost; its calls are told by the reader."""
    with contextlib.suppress(ConnectionError):
        engine.requests.write(json.dumps(request).encode() + b"\n")
        await engine.requests.drain()


async def _read_answers(engine: _Process) -> None:
    try:
        with contextlib.suppress(ConnectionError):
            while line := await engine.answers.readline():
                answer = json.loads(line)
                queue = engine.calls.get(answer.get("call", 0))
                if queue is not None:
                    queue.put_nowait(answer)
    finally:
        engine.requests.close()
        for queue in engine.calls.values():
            queue.put_nowait(None)
        await engine.process.wait()
