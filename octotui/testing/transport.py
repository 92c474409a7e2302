"""The conformance suite for transports: derive from it, say where a node is, and run pytest.

    class TestMyTransport(TransportSuite):
        trust_can_fail = False

        @pytest.fixture
        async def transport(self): ...

The node must have programs that the suite can start; which, the fixture ``program`` says. Fixtures
may be async. Nothing in here sleeps: what takes longer than ``PROMPT`` seconds fails.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest

from octotui.api import Completed, Transport
from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    FileMissing,
    NotTrusted,
    TimedOut,
    TransportError,
    Unreachable,
)
from octotui.testing.suite import Suite

#: Seconds that anything may take that should be done at once.
PROMPT = 10.0

#: The command that starts one of the suite's programs: ``program("exit", "3")``.
Program: TypeAlias = Callable[..., Sequence[str]]

Failure = TypeVar("Failure", bound=TransportError)

_WORDS = "Größe 42 €, 日本語"


class TransportSuite(Suite):
    """What every transport must do. Flags say what yours cannot; they default to "it can"."""

    #: It asks for an account, and a wrong one is refused: needs ``wrong_credentials``, ``secret``.
    credentials_can_fail: ClassVar[bool] = True
    #: It checks who the other side is: needs ``untrusted``.
    trust_can_fail: ClassVar[bool] = True
    #: A node can be out of reach: needs ``unreachable``.
    node_can_be_unreachable: ClassVar[bool] = True
    #: It has connections that break: needs ``drop``.
    connections_can_drop: ClassVar[bool] = True
    #: Output arrives while the program still runs.
    streams_output: ClassVar[bool] = True
    #: Cancelling a call ends the program on the node: needs ``ended``.
    ends_programs: ClassVar[bool] = True

    pytestmark: ClassVar[Any] = pytest.mark.asyncio

    @pytest.fixture
    def transport(self) -> Transport:
        """A transport to a node that is well, named ``node_name``; closed afterwards."""
        raise NotImplementedError

    @pytest.fixture
    def node_name(self) -> str:
        """The name that the node has in the profile, and that every error must hold."""
        return "OCTO1"

    @pytest.fixture
    def program(self) -> Program:
        """How the node is told to run one of the programs that the suite needs.

        ``exit N``: ends with that code. ``streams``: writes ``out`` to standard output and ``err``
        to standard error. ``echo``: copies standard input to standard output, byte by byte.
        ``lines N``: writes the numbers from 0 on, one a line. ``arguments A...``: writes its
        arguments in UTF-8, one a line. ``wait``: writes ``waiting``, then runs until it is ended.
        Line ends may be the node's own.
        """
        raise NotImplementedError

    @pytest.fixture
    def folder(self) -> str:
        """An existing folder on the node, with a separator at its end."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> Transport | None:
        """A transport to an address where nothing answers."""
        self.needed("node_can_be_unreachable")
        return None

    @pytest.fixture
    def wrong_credentials(self) -> Transport | None:
        """A transport whose account the node refuses."""
        self.needed("credentials_can_fail")
        return None

    @pytest.fixture
    def untrusted(self) -> Transport | None:
        """A transport that has no reason to trust the node."""
        self.needed("trust_can_fail")
        return None

    @pytest.fixture
    def secret(self) -> str | None:
        """The secret that ``transport`` and ``wrong_credentials`` use."""
        self.needed("credentials_can_fail")
        return None

    @pytest.fixture
    def drop(self) -> Callable[[], Awaitable[None]] | None:
        """Breaks every connection to the node that there is now."""
        self.needed("connections_can_drop")
        return None

    @pytest.fixture
    def ended(self) -> Callable[[], Awaitable[None]] | None:
        """Returns when no ``wait`` program runs on the node (any more)."""
        self.needed("ends_programs")
        return None

    async def test_exit_code_is_the_programs_own(
        self, transport: Transport, program: Program
    ) -> None:
        for code in (0, 3, 255):
            completed = await transport.run(program("exit", str(code)), timeout=PROMPT)
            assert completed.exit_code == code

    async def test_stdout_and_stderr_are_kept_apart(
        self, transport: Transport, program: Program
    ) -> None:
        completed = await transport.run(program("streams"), timeout=PROMPT)
        assert completed.stdout.strip() == b"out"
        assert completed.stderr.strip() == b"err"

    async def test_stdin_arrives_whole_and_ends(
        self, transport: Transport, program: Program
    ) -> None:
        data = (_WORDS.encode() + b"\n") * 5000
        completed = await transport.run(program("echo"), stdin=data, timeout=PROMPT)
        assert completed.stdout == data
        nothing = await transport.run(program("echo"), timeout=PROMPT)
        assert nothing.stdout == b""

    async def test_arguments_arrive_as_they_were_given(
        self, transport: Transport, program: Program
    ) -> None:
        arguments = [_WORDS, "two words", "", "C:\\a folder\\", "a;b,c=d", "R&D (old) <1>"]
        completed = await transport.run(program("arguments", *arguments), timeout=PROMPT)
        assert completed.stdout.decode().splitlines() == arguments

    async def test_ten_thousand_lines_arrive_in_order(
        self, transport: Transport, program: Program
    ) -> None:
        pieces: list[bytes] = []
        completed = await transport.run(
            program("lines", "10000"),
            timeout=3 * PROMPT,
            output=lambda stream, data: pieces.append(data),
        )
        assert completed.stdout.split() == [str(number).encode() for number in range(10000)]
        assert b"".join(pieces) == completed.stdout

    async def test_output_arrives_while_the_program_runs(
        self, transport: Transport, program: Program
    ) -> None:
        self.only_if("streams_output")
        threads: set[int] = set()
        call, waiting = self._start_waiting(transport, program, threads)
        await self._promptly(waiting.wait())
        assert not call.done()
        assert threads == {threading.get_ident()}, "output must come in the event loop's thread"
        await self._cancel(call)

    async def test_two_commands_run_at_once(self, transport: Transport, program: Program) -> None:
        call, waiting = self._start_waiting(transport, program)
        if self.streams_output:
            await self._promptly(waiting.wait())
        completed = await transport.run(program("exit", "7"), timeout=PROMPT)
        assert completed.exit_code == 7
        assert not call.done()
        await self._cancel(call)

    async def test_cancelling_is_prompt_and_ends_the_program(
        self,
        transport: Transport,
        program: Program,
        ended: Callable[[], Awaitable[None]] | None,
    ) -> None:
        call, waiting = self._start_waiting(transport, program)
        if self.streams_output:
            await self._promptly(waiting.wait())
        await self._cancel(call)
        if ended is not None and self.ends_programs:
            await self._promptly(ended())
        after = await transport.run(program("exit", "0"), timeout=PROMPT)
        assert after.exit_code == 0

    async def test_the_time_limit_is_kept_and_ends_the_program(
        self,
        transport: Transport,
        program: Program,
        node_name: str,
        ended: Callable[[], Awaitable[None]] | None,
    ) -> None:
        await transport.run(program("exit", "0"), timeout=PROMPT)
        with pytest.raises(TimedOut) as caught:
            await self._promptly(transport.run(program("wait"), timeout=0.5))
        self._check_error(caught.value, node_name)
        assert not caught.value.outcome_known
        if ended is not None and self.ends_programs:
            await self._promptly(ended())

    async def test_a_file_makes_the_round_trip(self, transport: Transport, folder: str) -> None:
        data = bytes(range(256)) * 300
        await transport.upload(data, folder + "round trip.bin")
        back = await transport.download(folder + "round trip.bin")
        assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()

    async def test_an_upload_replaces_what_is_there(
        self, transport: Transport, folder: str
    ) -> None:
        path = folder + "größe.txt"
        for data in (b"long and old", b"new", b""):
            await transport.upload(data, path)
            assert await transport.download(path) == data

    async def test_a_file_that_is_missing_is_named(
        self, transport: Transport, folder: str, node_name: str
    ) -> None:
        with pytest.raises(FileMissing) as caught:
            await transport.download(folder + "nowhere.txt")
        self._check_error(caught.value, node_name)
        assert "nowhere.txt" in str(caught.value)

    async def test_a_folder_that_is_missing_is_an_error(
        self, transport: Transport, folder: str, node_name: str
    ) -> None:
        separator = folder[-1]
        with pytest.raises(TransportError) as caught:
            await transport.upload(b"data", f"{folder}nowhere{separator}file.txt")
        self._check_error(caught.value, node_name)

    async def test_an_unreachable_node_is_told(
        self, unreachable: Transport, program: Program, node_name: str
    ) -> None:
        self.only_if("node_can_be_unreachable")
        error = await self._failure(Unreachable, unreachable, program)
        self._check_error(error, node_name)
        assert error.outcome_known

    async def test_refused_credentials_are_told(
        self, wrong_credentials: Transport, program: Program, node_name: str
    ) -> None:
        self.only_if("credentials_can_fail")
        error = await self._failure(CredentialsRefused, wrong_credentials, program)
        self._check_error(error, node_name)

    async def test_a_node_that_cannot_be_trusted_is_told(
        self, untrusted: Transport, program: Program, node_name: str
    ) -> None:
        self.only_if("trust_can_fail")
        error = await self._failure(NotTrusted, untrusted, program)
        self._check_error(error, node_name)

    async def test_it_connects_again_after_a_drop(
        self, transport: Transport, program: Program, drop: Callable[[], Awaitable[None]]
    ) -> None:
        self.only_if("connections_can_drop")
        for _ in range(2):
            assert (await transport.run(program("exit", "1"), timeout=PROMPT)).exit_code == 1
            await drop()
        completed = await transport.run(program("streams"), timeout=PROMPT)
        assert completed.stdout.strip() == b"out"

    async def test_a_drop_while_a_command_runs_is_survived_or_told(
        self,
        transport: Transport,
        program: Program,
        node_name: str,
        drop: Callable[[], Awaitable[None]],
    ) -> None:
        self.only_if("connections_can_drop")
        self.only_if("streams_output")
        call, waiting = self._start_waiting(transport, program)
        await self._promptly(waiting.wait())
        await drop()
        completed = await transport.run(program("exit", "0"), timeout=PROMPT)
        assert completed.exit_code == 0
        call.cancel()
        try:
            await self._promptly(call)
        except asyncio.CancelledError:
            return
        except ConnectionLost as lost:
            self._check_error(lost, node_name)
            return
        pytest.fail("a program that was cut off cannot have ended by itself")

    async def test_no_secret_is_shown(
        self,
        transport: Transport,
        wrong_credentials: Transport,
        program: Program,
        secret: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.only_if("credentials_can_fail")
        caplog.set_level(logging.DEBUG)
        await transport.run(program("exit", "0"), timeout=PROMPT)
        error = await self._failure(CredentialsRefused, wrong_credentials, program)
        shown = [repr(transport), str(transport), repr(wrong_credentials), caplog.text]
        shown += [repr(error), *traceback.format_exception(error)]
        assert not [text for text in shown if secret in text]

    async def test_closing_twice_is_no_fault(self, transport: Transport, program: Program) -> None:
        await transport.run(program("exit", "0"), timeout=PROMPT)
        await self._promptly(transport.close())
        await self._promptly(transport.close())

    async def test_closing_what_was_never_used_is_no_fault(self, transport: Transport) -> None:
        await self._promptly(transport.close())

    def _start_waiting(
        self, transport: Transport, program: Program, threads: set[int] | None = None
    ) -> tuple[asyncio.Task[Completed], asyncio.Event]:
        """Starts ``wait``; the event is set when it runs."""
        waiting = asyncio.Event()
        heard = bytearray()

        def output(stream: str, data: bytes) -> None:
            if threads is not None:
                threads.add(threading.get_ident())
            heard.extend(data)
            if b"waiting" in heard:
                waiting.set()

        call = asyncio.create_task(
            transport.run(program("wait"), timeout=6 * PROMPT, output=output)
        )
        return call, waiting

    async def _cancel(self, call: asyncio.Task[Completed]) -> None:
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._promptly(call)

    async def _failure(
        self, kind: type[Failure], transport: Transport, program: Program
    ) -> Failure:
        """The error that a call over this transport ends with; the transport is closed."""
        try:
            with pytest.raises(kind) as caught:
                await self._promptly(transport.run(program("exit", "0"), timeout=PROMPT))
        finally:
            await self._promptly(transport.close())
        return caught.value

    @staticmethod
    async def _promptly(work: Awaitable[Any]) -> Any:
        async with asyncio.timeout(PROMPT):
            return await work

    @staticmethod
    def _check_error(error: TransportError, node_name: str) -> None:
        assert error.node == node_name
        assert node_name in str(error)
