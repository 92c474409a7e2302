"""The transport to one node: asyncio on this side, threads with pywinrm on the other.

pywinrm and what it needs cost 150 ms to import, so that is done when a node is first used.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from octotui.api import Completed, NodeAddress, Output, Secrets
from octotui.api.errors import ConnectionLost, FileMissing, TimedOut, TransportError, Unreachable
from octotui_winrm.commandline import command_line, script_command
from octotui_winrm.patience import PATIENCE, Patience
from octotui_winrm.settings import WinrmSettings

if TYPE_CHECKING:
    from pydantic import SecretStr

    from octotui_winrm.call import Call
    from octotui_winrm.channel import Channel
    from octotui_winrm.wire import Endpoint, Wire

#: Calls to one node at once, each in a shell of its own; the smallest MaxShellsPerUser of a
#: supported Windows is 30, and we are not alone.
CALLS_AT_ONCE = 4

#: Every call under way holds a thread, mostly waiting: room for more nodes than a cluster has.
_THREADS = 256

#: Seconds for the transfer of a small file.
_FILE_TIMEOUT = 120.0

#: Bytes of a file in one line of base64; a multiple of three needs no padding within the file.
_LINE = 3072

#: ``send.ps1``'s exit code for a file that is not there.
_NO_SUCH_FILE = 2


@cache
def _workers() -> ThreadPoolExecutor:
    """Threads for all nodes; asyncio's own pool has six on a machine with two processors."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="octotui-winrm")


class WinrmTransport:
    """Runs commands and moves small files by way of WinRM's command shell."""

    def __init__(
        self,
        node: NodeAddress,
        settings: WinrmSettings,
        secrets: Secrets,
        patience: Patience = PATIENCE,
    ) -> None:
        self._node = node
        self._settings = settings
        self._secrets = secrets
        self._patience = patience
        self._password: SecretStr | None = None
        self._idle: list[Channel] = []
        self._active: dict[Call, asyncio.Future[Completed]] = {}
        self._lock = threading.Lock()
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)
        self._closed = False

    def __repr__(self) -> str:
        return f"<WinRM to {self._node.name} at {self._node.host}>"

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        output: Output | None = None,
    ) -> Completed:
        """See ``octotui.api.Transport``."""
        program, arguments = command_line(command, self._node.name)
        deadline = time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                await self._prepare()
                await self._slots.acquire()
        except TimeoutError:
            self._never_sent(timeout)
        try:
            self._refuse_if_closed()
            call, work = self._begin(program, arguments, stdin, output)
            try:
                done, _ = await asyncio.wait({work}, timeout=max(0, deadline - time.monotonic()))
            except asyncio.CancelledError:
                await self._stop(call, work)
                raise
            if done:
                return work.result()
            await self._stop(call, work)
        finally:
            self._slots.release()
        if not call.sent:
            self._never_sent(timeout)
        raise TimedOut(
            f"no end of {command[0]} within {timeout:g} seconds",
            node=self._node.name,
            meaning="The command may be running, done, or never begun.",
            left="The node was told to end it" if work.done() else "The node could not be told so",
            next_step="Look at what is true on the node before anything is repeated.",
        )

    async def upload(self, data: bytes, path: str) -> None:
        """See ``octotui.api.Transport``."""
        lines = [_encoded(path.encode())]
        lines += [_encoded(data[start : start + _LINE]) for start in range(0, len(data), _LINE)]
        completed = await self._script("receive.ps1", lines)
        if completed.exit_code != 0:
            self._script_failed(f"{path} could not be written", completed)

    async def download(self, path: str) -> bytes:
        """See ``octotui.api.Transport``."""
        completed = await self._script("send.ps1", [_encoded(path.encode())])
        if completed.exit_code == _NO_SUCH_FILE:
            raise FileMissing(f"there is no file {path}", node=self._node.name)
        if completed.exit_code != 0:
            self._script_failed(f"{path} could not be read", completed)
        try:
            return base64.b64decode(b"".join(completed.stdout.split()), validate=True)
        except binascii.Error:
            self._script_failed(f"{path} did not arrive whole", completed)

    async def close(self) -> None:
        """See ``octotui.api.Transport``. Calls under way are stopped."""
        self._closed = True
        await asyncio.gather(*(self._stop(call, work) for call, work in self._active.items()))
        with self._lock:
            channels, self._idle = self._idle, []
        loop = asyncio.get_running_loop()
        closing = {loop.run_in_executor(_workers(), channel.close) for channel in channels}
        if closing:
            _, late = await asyncio.wait(closing, timeout=self._patience.farewell)
            if late:
                for channel in channels:
                    channel.abort()

    async def _prepare(self) -> None:
        """What takes time and must not hold up the event loop: imports, the secret."""
        self._refuse_if_closed()
        if self._password is None:
            loop = asyncio.get_running_loop()
            self._password = await loop.run_in_executor(_workers(), self._load)

    def _load(self) -> SecretStr:
        import octotui_winrm.call  # noqa: F401

        return self._secrets.resolve(self._settings.password)

    def _begin(
        self, program: str, arguments: str, stdin: bytes, output: Output | None
    ) -> tuple[Call, asyncio.Future[Completed]]:
        from octotui_winrm.call import Call

        loop = asyncio.get_running_loop()

        def emit(stream: Literal["stdout", "stderr"], data: bytes) -> None:
            if output is not None:
                with suppress(RuntimeError):  # the loop was closed without waiting for us
                    loop.call_soon_threadsafe(output, stream, data)

        call = Call(program, arguments, stdin, emit, self._wire, self._patience)
        work = loop.run_in_executor(_workers(), self._execute, call)
        self._active[call] = work
        work.add_done_callback(lambda _: self._active.pop(call))
        return call, work

    def _execute(self, call: Call) -> Completed:
        """In a worker's thread: the call, over a channel that nobody else uses meanwhile."""
        from octotui_winrm import faults
        from octotui_winrm.call import Stopped
        from octotui_winrm.channel import Channel

        with self._lock:
            channel = self._idle.pop() if self._idle else Channel(self._wire)
        try:
            return call.execute(channel)
        except Stopped:
            raise self._closed_meanwhile(call) from None
        except faults.EXPECTED as error:
            name, endpoint = self._node.name, self._endpoint()
            if call.sent:
                raise faults.after_sending(error, name, endpoint) from error
            raise faults.before_sending(error, name, endpoint, channel.was_connected) from error
        finally:
            with self._lock:
                closed = self._closed
                if not closed:
                    self._idle.append(channel)
            if closed:  # one of the idle ones is closed by whoever closes us
                channel.close()

    async def _stop(self, call: Call, work: asyncio.Future[Completed]) -> None:
        """Ends a call that nobody waits for any more, within the time for a farewell."""
        telling = asyncio.get_running_loop().run_in_executor(_workers(), call.stop)
        ending: set[asyncio.Future[Any]] = {telling, work}
        for future in ending:  # whatever becomes of them, nobody asks for it
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            await asyncio.wait(ending, timeout=self._patience.farewell)
        finally:
            if not work.done():
                call.abort()

    def _wire(self) -> Wire:
        from octotui_winrm.wire import Wire

        assert self._password is not None
        return Wire(self._endpoint(), self._password.get_secret_value(), self._patience)

    def _endpoint(self) -> Endpoint:
        from octotui_winrm.wire import Endpoint

        settings = self._settings
        return Endpoint(
            host=self._node.host,
            port=settings.effective_port,
            scheme=settings.scheme,
            auth=settings.auth,
            username=settings.username,
            ca=settings.ca,
            verify=settings.verify,
        )

    async def _script(self, name: str, lines: Sequence[str]) -> Completed:
        stdin = "".join(f"{line}\n" for line in lines).encode("ascii")
        return await self.run(script_command(name), stdin=stdin, timeout=_FILE_TIMEOUT)

    def _script_failed(self, what: str, completed: Completed) -> NoReturn:
        words = (completed.stdout + completed.stderr).decode(errors="replace").strip()
        raise TransportError(what, node=self._node.name, meaning=words[-500:])

    def _never_sent(self, timeout: float) -> NoReturn:
        raise Unreachable(
            f"{self._node.host} did not get ready for a command within {timeout:g} seconds",
            node=self._node.name,
            meaning="Nothing was done on the node.",
            next_step="Check that the node is up, and that WinRM on it answers.",
        )

    def _closed_meanwhile(self, call: Call) -> TransportError:
        if not call.sent:
            return TransportError(
                "the connection was closed", node=self._node.name, meaning="Nothing was sent."
            )
        return ConnectionLost(
            "the connection was closed while a command ran",
            node=self._node.name,
            meaning="The command was told to end; what it did until then is done.",
        )

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise TransportError(
                "the connection was closed", node=self._node.name, meaning="Nothing was sent."
            )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
