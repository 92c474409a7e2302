"""What a node gets to do for one call, when WinRM answers, refuses, breaks or is silent.

The node is played behind pywinrm's protocol; its diary is what really happened on it. The same over
sockets, for what depends on them, is in tests/lab/test_winrm_faults.py.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from pydantic import SecretStr
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from octotui.api import NodeAddress, SecretReference
from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    FileMissing,
    TimedOut,
    TransportError,
    Unreachable,
)
from octotui_winrm.call import STDIN_CHUNK
from octotui_winrm.patience import Patience
from octotui_winrm.settings import WinrmSettings
from octotui_winrm.transport import CALLS_AT_ONCE, WinrmTransport
from octotui_winrm.wire import BadAnswer, Endpoint, WireOver

PATIENCE = Patience(reconnect=(0, 0, 0), farewell=5)
DONE = (b"", b"", 0, True)
CUT = requests.ConnectionError("reset")
SILENCE = WinRMOperationTimeoutError()


def fault(code: int, reason: str = "No.") -> WSManFaultError:
    return WSManFaultError(500, "", "", reason, wsman_fault_code=code)


GONE, BUSY, OTHER = fault(2150858843), fault(170, "The resource is in use."), fault(87)


class Node:
    """Answers in turn, by operation; what stands nowhere succeeds."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = defaultdict(list)
        self.diary: list[str] = []
        self.endpoints: set[tuple[Endpoint, str, Patience]] = set()
        self.connects = True
        #: How many connections were made, or tried.
        self.wires = 0
        #: Output is not answered while this is not set.
        self.speaks = threading.Event()
        self.speaks.set()
        #: The operation that is not answered before ``goes_on`` is set; ``stuck`` is set meanwhile.
        self.holds = ""
        self.goes_on, self.stuck = threading.Event(), threading.Event()
        self.asked = threading.Event()
        self.ends_on_cleanup = True
        self.shells = self.commands = 0

    def answer(self, operation: str, entry: str, otherwise: Any = None) -> Any:
        answer = self.answers[operation].pop(0) if self.answers[operation] else otherwise
        if isinstance(answer, WireOver):
            raise answer  # nothing got to the node
        self.diary.append(entry)
        if operation == self.holds:
            self.stuck.set()
            self.goes_on.wait(5)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def said(self, word: str) -> list[str]:
        return [entry for entry in self.diary if entry.startswith(word)]


class FakeWire:
    """pywinrm's protocol as far as a call uses it."""

    def __init__(self, node: Node, endpoint: Endpoint, password: str, patience: Patience) -> None:
        self._node = node
        self._broken = threading.Event()
        node.wires += 1
        self.connection = SimpleNamespace(made=node.connects)
        node.endpoints.add((endpoint, password, patience))

    def open_shell(self, *, codepage: int) -> str:
        shell = self._node.answer("open", f"open {codepage}")
        self._node.shells += 1
        return shell or f"S{self._node.shells}"

    def close_shell(self, shell: str, *, close_session: bool) -> None:
        assert close_session is False  # the wire may be needed for another shell
        self._node.answer("close", f"close {shell}")

    def run_command(
        self, shell: str, program: str, arguments: Sequence[str], *, console_mode_stdin: bool
    ) -> str:
        console = " on a console" if console_mode_stdin else ""
        self._node.answer("run", f"run in {shell}: {program} {' '.join(arguments)}{console}")
        self._node.commands += 1
        return f"C{self._node.commands}"

    def send_command_input(self, shell: str, command: str, data: bytes, *, end: bool) -> None:
        last = ", the last" if end else ""
        self._node.answer("input", f"input {shell} {command}: {len(data)}{last}")

    def get_command_output_raw(self, shell: str, command: str) -> tuple[bytes, bytes, int, bool]:
        self._node.asked.set()
        while not self._node.speaks.wait(0.01):
            if self._broken.is_set():
                raise CUT
        answer: tuple[bytes, bytes, int, bool]
        answer = self._node.answer("output", f"output {shell} {command}", DONE)
        return answer

    def cleanup_command(self, shell: str, command: str) -> None:
        self._node.answer("cleanup", f"cleanup {shell} {command}")
        if self._node.ends_on_cleanup:
            self._node.speaks.set()

    def close(self) -> None:
        self._node.diary.append("hang up")

    def abort(self) -> None:
        self._node.diary.append("abort")
        self._broken.set()


class Secrets:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolve(self, reference: SecretReference) -> SecretStr:
        self.asked.append(reference.reference)
        return SecretStr("hunter2")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    monkeypatch.setattr("octotui_winrm.wire.Wire", lambda *given: FakeWire(node, *given))
    return node


SETTINGS = {"username": r"EXAMPLE\octo", "password": "env:PASSWORD"}


def connect(
    patience: Patience = PATIENCE, secrets: Secrets | None = None, **settings: Any
) -> WinrmTransport:
    known = WinrmSettings.model_validate(SETTINGS | settings)
    address = NodeAddress("OCTO1", "octo1.example.com")
    return WinrmTransport(address, known, secrets or Secrets(), patience)


@pytest.fixture
def transport(node: Node) -> WinrmTransport:
    return connect()


async def test_a_command_from_its_start_to_its_end(node: Node, transport: WinrmTransport) -> None:
    node.answers["output"] = [(b"one\n", b"oh\n", -1, False), (b"two\n", b"bad\n", 7, True)]
    heard: list[tuple[str, bytes]] = []
    completed = await transport.run(
        ["tool.exe", "a b"], stdin=b"hello", timeout=5, output=lambda *piece: heard.append(piece)
    )
    assert (completed.exit_code, completed.stdout) == (7, b"one\ntwo\n")
    assert completed.stderr == b"oh\nbad\n"
    assert heard == [
        ("stdout", b"one\n"),
        ("stderr", b"oh\n"),
        ("stdout", b"two\n"),
        ("stderr", b"bad\n"),
    ]
    await transport.close()
    assert node.diary == [
        "open 65001",
        'run in S1: tool.exe "a b"',
        "input S1 C1: 5, the last",
        "output S1 C1",
        "output S1 C1",
        "cleanup S1 C1",
        "close S1",
        "hang up",
    ]


async def test_the_node_is_reached_as_the_profile_says(node: Node, tmp_path: Path) -> None:
    settings = {"scheme": "https", "auth": "basic", "port": 5999, "verify": False}
    secrets = Secrets()
    transport = connect(secrets=secrets, ca=str(tmp_path / "ca.pem"), **settings)
    await transport.run(["exit"], timeout=5)
    await transport.run(["exit"], timeout=5)
    assert node.endpoints == {
        (
            Endpoint(
                "octo1.example.com",
                5999,
                "https",
                "basic",
                r"EXAMPLE\octo",
                tmp_path / "ca.pem",
                False,
            ),
            "hunter2",
            PATIENCE,
        )
    }
    assert secrets.asked == ["env:PASSWORD"]
    assert node.wires == 1, "one connection serves all calls"
    assert node.said("input") == ["input S1 C1: 0, the last", "input S1 C2: 0, the last"]
    assert "hunter2" not in repr(transport)


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (0, ["0, the last"]),
        (STDIN_CHUNK, [f"{STDIN_CHUNK}, the last"]),
        (2 * STDIN_CHUNK + 1, [f"{STDIN_CHUNK}", f"{STDIN_CHUNK}", "1, the last"]),
    ],
)
async def test_input_is_whole_and_ends_once(
    node: Node, transport: WinrmTransport, size: int, pieces: list[str]
) -> None:
    assert STDIN_CHUNK * 4 / 3 < 150_000
    await transport.run(["echo"], stdin=b"x" * size, timeout=5)
    assert node.said("input") == [f"input S1 C1: {piece}" for piece in pieces]


async def test_a_program_that_ended_before_its_input_tells_why_itself(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["input"] = [OTHER]
    node.answers["output"] = [(b"no such option", b"", 2, True)]
    completed = await transport.run(["tool"], stdin=b"x" * (2 * STDIN_CHUNK), timeout=5)
    assert (completed.exit_code, completed.stdout) == (2, b"no such option")
    assert len(node.said("input")) == 1


@pytest.mark.parametrize("busy", [3, 4])
async def test_input_that_a_busy_node_refuses_is_given_as_often_as_a_connection(
    node: Node, transport: WinrmTransport, busy: int
) -> None:
    node.answers["input"] = [BUSY] * busy
    call = transport.run(["tool"], stdin=b"x", timeout=5)
    if busy <= len(PATIENCE.reconnect):
        assert (await call).exit_code == 0
        assert len(node.said("input")) == busy + 1
    else:
        with pytest.raises(ConnectionLost, match="The resource is in use"):
            await call
        assert len(node.said("input")) == busy
        assert node.said("cleanup") == ["cleanup S1 C1"]
    assert len(node.said("run")) == 1


async def test_each_piece_of_input_is_given_time_of_its_own(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["input"] = [BUSY, BUSY, None, BUSY, BUSY, None]
    await transport.run(["tool"], stdin=b"x" * (STDIN_CHUNK + 1), timeout=5)
    assert len(node.said("input")) == 6


# -- whether a command may have run -------------------------------------------------------------


async def test_a_command_that_may_have_been_sent_is_not_sent_again(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["run"] = [CUT]
    with pytest.raises(ConnectionLost) as caught:
        await transport.run(["install"], timeout=5)
    assert str(caught.value).startswith("OCTO1: the connection to octo1.example.com:5986 broke")
    assert node.diary == ["open 65001", "run in S1: install ", "hang up"]
    # The doubtful shell is closed before anything else is done.
    await transport.run(["look"], timeout=5)
    assert node.diary[3:6] == ["close S1", "open 65001", "run in S2: look "]


@pytest.mark.parametrize(
    ("error", "connects", "kind"),
    [
        (CUT, False, Unreachable),
        (InvalidCredentialsError("rejected"), True, CredentialsRefused),
        (OTHER, True, TransportError),
    ],
)
async def test_a_command_that_was_surely_not_sent_is_said_to_be_so(
    node: Node, transport: WinrmTransport, error: Exception, connects: bool, kind: type
) -> None:
    node.connects = connects
    node.answers["run"] = [error]
    with pytest.raises(kind) as caught:
        await transport.run(["install"], timeout=5)
    assert caught.value.outcome_known
    assert "Nothing was done on the node." in str(caught.value)
    assert len(node.said("run")) == 1


@pytest.mark.parametrize(
    ("refusal", "connects", "words"),
    [
        (OTHER, True, "OCTO1: WinRM refuses the command"),
        (InvalidCredentialsError("rejected"), True, "OCTO1: the node refuses the account"),
        (CUT, True, "OCTO1: the connection to octo1.example.com:5986 broke before the command"),
        (CUT, False, "OCTO1: no connection to octo1.example.com:5986"),
    ],
)
async def test_a_shell_that_could_not_be_opened_runs_nothing(
    node: Node, transport: WinrmTransport, refusal: Exception, connects: bool, words: str
) -> None:
    node.answers["open"] = [refusal]
    node.connects = connects
    with pytest.raises(TransportError) as caught:
        await transport.run(["install"], timeout=5)
    assert str(caught.value).startswith(words)
    assert caught.value.outcome_known
    assert node.said("run") == []


async def test_a_refused_command_leaves_its_shell_to_the_next(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["run"] = [OTHER]
    with pytest.raises(TransportError):
        await transport.run(["a"], timeout=5)
    await transport.run(["b"], timeout=5)
    assert node.said("run") == ["run in S1: a ", "run in S1: b "]
    assert len(node.said("open")) == 1


async def test_a_shell_that_is_gone_is_replaced_once(node: Node, transport: WinrmTransport) -> None:
    node.answers["run"] = [GONE]
    await transport.run(["install"], timeout=5)
    assert node.said("run") == ["run in S1: install ", "run in S2: install "]
    assert node.said("close") == []
    node.answers["run"] = [GONE, GONE]
    with pytest.raises(TransportError, match="WinRM refuses the command") as caught:
        await transport.run(["install"], timeout=5)
    assert caught.value.outcome_known
    assert len(node.said("run")) == 4


async def test_a_connection_that_ended_between_calls_is_replaced_and_the_command_sent_once(
    node: Node, transport: WinrmTransport
) -> None:
    await transport.run(["a"], timeout=5)
    node.answers["run"] = [WireOver()]
    await transport.run(["b"], timeout=5)
    assert node.said("run") == ["run in S1: a ", "run in S1: b "]
    assert node.wires == 2


async def test_a_lost_second_attempt_is_unknown(node: Node, transport: WinrmTransport) -> None:
    node.answers["run"] = [GONE, CUT]
    with pytest.raises(ConnectionLost):
        await transport.run(["install"], timeout=5)
    assert len(node.said("run")) == 2


@pytest.mark.parametrize("error", [CUT, WinRMTransportError("http", 503, ""), BadAnswer("odd")])
async def test_what_fails_amid_the_input_is_unknown_and_not_repeated(
    node: Node, transport: WinrmTransport, error: Exception
) -> None:
    node.answers["input"] = [error]
    with pytest.raises(ConnectionLost):
        await transport.run(["install"], stdin=b"x", timeout=5)
    assert (len(node.said("run")), len(node.said("input"))) == (1, 1)
    # Something may still run in that shell: it is closed before the next command, in another one.
    await transport.run(["look"], timeout=5)
    assert node.diary[-6:-3] == ["close S1", "open 65001", "run in S2: look "]
    await transport.close()
    assert node.said("close") == ["close S1", "close S2"]


# -- output -------------------------------------------------------------------------------------


async def test_silence_is_waited_out_for_as_long_as_the_limit_allows(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["output"] = [SILENCE] * 9 + [(b"at last", b"", 0, True)]
    assert (await transport.run(["slow"], timeout=5)).stdout == b"at last"
    assert len(node.said("run")) == 1
    assert node.wires == 1, "silence is no reason to log on again"


@pytest.mark.parametrize("cuts", [3, 4])
async def test_output_is_asked_for_again_after_as_many_cuts_as_we_are_patient(
    node: Node, transport: WinrmTransport, cuts: int
) -> None:
    node.answers["output"] = [CUT] * cuts + [(b"whole", b"", 0, True)]
    call = transport.run(["install"], timeout=5)
    if cuts <= len(PATIENCE.reconnect):
        assert (await call).stdout == b"whole"
    else:
        with pytest.raises(ConnectionLost):
            await call
    assert len(node.said("run")) == 1
    assert len(node.said("output")) == 4


@pytest.mark.parametrize("between", [SILENCE, (b"", b"", -1, False)])
async def test_every_sign_of_life_renews_our_patience(
    node: Node, transport: WinrmTransport, between: Any
) -> None:
    node.answers["output"] = [CUT, CUT, CUT, between, CUT, CUT, CUT]
    assert (await transport.run(["install"], timeout=5)).exit_code == 0
    assert len(node.said("output")) == 8


@pytest.mark.parametrize(
    ("error", "cleaned"),
    [(BadAnswer("odd"), False), (InvalidCredentialsError("no"), False), (OTHER, True)],
)
async def test_what_is_no_cut_ends_the_call_as_unknown(
    node: Node, transport: WinrmTransport, error: Exception, cleaned: bool
) -> None:
    node.answers["output"] = [(b"half", b"", -1, False), error]
    with pytest.raises(ConnectionLost):
        await transport.run(["install"], timeout=5)
    assert len(node.said("output")) == 2
    assert bool(node.said("cleanup")) is cleaned


async def test_what_was_done_is_told_though_the_cleaning_up_fails(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["cleanup"] = [CUT, GONE]
    assert (await transport.run(["a"], timeout=5)).exit_code == 0
    assert (await transport.run(["b"], timeout=5)).exit_code == 0
    assert (await transport.run(["c"], timeout=5)).exit_code == 0
    # A broken connection leaves the shell, a shell that is gone does not.
    assert node.said("run") == ["run in S1: a ", "run in S1: b ", "run in S2: c "]


# -- an end that is asked for -------------------------------------------------------------------


async def until(event: threading.Event) -> None:
    await asyncio.to_thread(event.wait, 10)


async def test_a_command_without_end_is_told_to_end(node: Node, transport: WinrmTransport) -> None:
    node.speaks.clear()
    with pytest.raises(TimedOut) as caught:
        await transport.run(["msiexec"], timeout=0.2)
    assert str(caught.value) == (
        "OCTO1: no end of msiexec within 0.2 seconds. The command may be running, done, or never "
        "begun. The node was told to end it. "
        "Look at what is true on the node before anything is repeated."
    )
    assert set(node.said("cleanup")) == {"cleanup S1 C1"}
    assert "abort" not in node.diary
    assert len(node.said("run")) == 1


async def ended(transport: WinrmTransport, node: Node) -> None:
    """Lets the node go on, and waits until nothing of ours is under way."""
    node.goes_on.set()
    await transport.close()


async def test_a_command_that_waits_for_its_shell_is_never_sent_once_it_was_given_up(
    node: Node, transport: WinrmTransport
) -> None:
    node.holds = "open"
    call = asyncio.create_task(transport.run(["msiexec"], timeout=60))
    await until(node.stuck)
    call.cancel()
    await asyncio.sleep(0.05)
    await ended(transport, node)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert node.said("run") == node.said("cleanup") == []
    assert node.wires == 1, "there was nothing to end"


async def test_a_command_that_could_not_be_sent_in_time_was_not_sent(node: Node) -> None:
    node.holds = "open"
    transport = connect(replace(PATIENCE, farewell=0.05))
    with pytest.raises(Unreachable, match=r"did not get ready for a command within 0\.1 s"):
        await transport.run(["msiexec"], timeout=0.1)
    node.goes_on.set()
    async with asyncio.timeout(5):
        while len(node.said("open")) > node.shells:
            await asyncio.sleep(0.01)
    await transport.close()
    assert node.said("run") == []


async def test_a_command_whose_shell_was_gone_is_not_sent_again_once_it_was_given_up(
    node: Node, transport: WinrmTransport
) -> None:
    node.holds = "run"
    node.answers["run"] = [GONE]
    call = asyncio.create_task(transport.run(["msiexec"], timeout=60))
    await until(node.stuck)
    call.cancel()
    await asyncio.sleep(0.05)
    await ended(transport, node)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (len(node.said("open")), len(node.said("run"))) == (1, 1)


async def test_the_rest_of_the_input_is_kept_from_a_command_that_was_given_up(
    node: Node, transport: WinrmTransport
) -> None:
    """Half a script is not run; the other half would make it whole."""
    node.holds = "input"
    stdin = b"x" * (2 * STDIN_CHUNK)
    call = asyncio.create_task(transport.run(["powershell"], stdin=stdin, timeout=60))
    await until(node.stuck)
    call.cancel()
    await asyncio.sleep(0.05)
    await ended(transport, node)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert node.said("input") == [f"input S1 C1: {STDIN_CHUNK}"]
    assert "cleanup S1 C1" in node.diary


@pytest.mark.parametrize(("operation", "answer"), [("input", BUSY), ("output", CUT)])
async def test_between_attempts_there_is_a_pause_that_can_be_ended(
    node: Node, operation: str, answer: Exception
) -> None:
    node.answers[operation] = [answer]
    node.holds = operation
    transport = connect(replace(PATIENCE, reconnect=(60,)))
    call = asyncio.create_task(transport.run(["exit"], timeout=60))
    await until(node.stuck)
    node.goes_on.set()
    await asyncio.sleep(0.1)
    assert len(node.said(operation)) == 1
    async with asyncio.timeout(5):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await transport.close()
    assert len(node.said(operation)) == 1


async def test_nothing_more_is_asked_of_a_silent_command_that_was_given_up(
    node: Node, transport: WinrmTransport
) -> None:
    node.holds = "output"
    node.answers["output"] = [SILENCE]
    call = asyncio.create_task(transport.run(["msiexec"], timeout=60))
    await until(node.stuck)
    call.cancel()
    await asyncio.sleep(0.05)
    await ended(transport, node)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(node.said("output")) == 1


async def test_a_command_that_has_ended_is_not_ended_again(
    node: Node, transport: WinrmTransport
) -> None:
    node.holds = "cleanup"
    call = asyncio.create_task(transport.run(["exit"], timeout=60))
    await until(node.stuck)
    call.cancel()
    await asyncio.sleep(0.05)
    await ended(transport, node)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert node.said("cleanup") == ["cleanup S1 C1"]
    assert node.wires == 1


async def test_a_node_that_cannot_be_told_is_hung_up_on(node: Node) -> None:
    node.speaks.clear()
    node.ends_on_cleanup = False
    transport = connect(replace(PATIENCE, farewell=0.05))
    with pytest.raises(TimedOut, match="The node could not be told so"):
        await transport.run(["msiexec"], timeout=0.2)
    assert node.diary.count("abort") == 1
    assert len(node.said("run")) == 1
    # Once more over the next connection, by the thread that was waiting for output.
    async with asyncio.timeout(10):
        while len(node.said("cleanup")) < 2:
            await asyncio.sleep(0.01)


async def test_a_call_that_nobody_waits_for_is_ended_on_the_node(
    node: Node, transport: WinrmTransport
) -> None:
    node.speaks.clear()
    call = asyncio.create_task(transport.run(["msiexec"], timeout=60))
    await until(node.asked)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert node.said("cleanup")[0] == "cleanup S1 C1"
    # The connection that told it is not kept.
    assert "hang up" in node.diary


async def test_a_command_line_that_is_too_long_is_refused_by_name(
    node: Node, transport: WinrmTransport
) -> None:
    with pytest.raises(TransportError, match=r"^OCTO1: .*8191"):
        await transport.run(["exit", "1" * 8190], timeout=5)
    assert node.diary == []


async def test_nodes_that_say_nothing_hold_up_no_other(node: Node) -> None:
    """Each call waits in a thread; asyncio's own pool would have six of them."""
    node.speaks.clear()
    node.ends_on_cleanup = False
    transports = [connect() for _ in range(40)]
    calls = [asyncio.create_task(each.run(["w"], timeout=60)) for each in transports]
    async with asyncio.timeout(5):
        while len(node.said("input")) < len(calls):
            await asyncio.sleep(0.01)
    node.speaks.set()
    await asyncio.gather(*calls)
    await asyncio.gather(*(each.close() for each in transports))
    assert len(node.said("close")) == len(calls)


async def test_a_call_that_waits_for_its_turn_when_all_is_closed_is_not_sent(
    node: Node, transport: WinrmTransport
) -> None:
    node.speaks.clear()
    calls = [asyncio.create_task(transport.run(["w"], timeout=60)) for _ in range(CALLS_AT_ONCE)]
    async with asyncio.timeout(5):
        while len(node.said("input")) < CALLS_AT_ONCE:
            await asyncio.sleep(0.01)
    late = asyncio.create_task(transport.run(["late"], timeout=60))
    await asyncio.sleep(0)
    await transport.close()
    with pytest.raises(TransportError) as refused:
        await late
    assert str(refused.value) == "OCTO1: the connection was closed. Nothing was sent."
    await asyncio.gather(*calls, return_exceptions=True)
    assert not [entry for entry in node.diary if "late" in entry]


async def test_no_more_calls_at_once_than_a_node_has_shells_for(
    node: Node, transport: WinrmTransport
) -> None:
    node.speaks.clear()
    node.ends_on_cleanup = False
    calls = [asyncio.create_task(transport.run(["w"], timeout=60)) for _ in range(CALLS_AT_ONCE)]
    async with asyncio.timeout(10):
        while len(node.said("input")) < CALLS_AT_ONCE:
            await asyncio.sleep(0.01)
    with pytest.raises(Unreachable) as caught:
        await transport.run(["late"], timeout=0.05)
    assert str(caught.value) == (
        "OCTO1: octo1.example.com did not get ready for a command within 0.05 seconds. "
        "Nothing was done on the node. Check that the node is up, and that WinRM on it answers."
    )
    assert not [entry for entry in node.diary if "late" in entry]
    node.speaks.set()
    assert [call.exit_code for call in await asyncio.gather(*calls)] == [0] * CALLS_AT_ONCE
    await transport.close()
    assert len(node.said("close")) == len(node.said("open")) == CALLS_AT_ONCE


@pytest.mark.parametrize(
    ("last_output", "last_close"),
    [(DONE, None), (OTHER, None), (CUT, None), (DONE, CUT), (DONE, WireOver())],
)
async def test_closing_ends_what_runs_and_nothing_is_sent_afterwards(
    node: Node, transport: WinrmTransport, last_output: Any, last_close: Any
) -> None:
    """However the node takes its end, and whether it is there to close the shell."""
    node.speaks.clear()
    node.answers["output"] = [last_output]
    node.answers["close"] = [last_close, last_close]
    call = asyncio.create_task(transport.run(["msiexec"], timeout=60))
    await until(node.asked)
    await transport.close()
    with pytest.raises(ConnectionLost) as lost:
        await call
    assert str(lost.value) == (
        "OCTO1: the connection was closed while a command ran. "
        "The command was told to end; what it did until then is done."
    )
    sent = len(node.said("run"))
    with pytest.raises(TransportError) as refused:
        await transport.run(["late"], timeout=5)
    assert str(refused.value) == "OCTO1: the connection was closed. Nothing was sent."
    assert refused.value.outcome_known
    assert len(node.said("run")) == sent == 1
    assert node.said("close")[:1] == ([] if isinstance(last_close, WireOver) else ["close S1"])
    assert node.diary[-1] == "hang up"


async def test_a_node_that_is_gone_does_not_hold_up_the_closing(
    node: Node, transport: WinrmTransport
) -> None:
    await transport.run(["a"], timeout=5)
    node.answers["close"] = [CUT]
    await transport.close()
    assert node.diary[-2:] == ["close S1", "hang up"]
    await transport.close()


async def test_a_node_that_does_not_answer_holds_up_the_closing_no_longer_than_a_farewell(
    node: Node,
) -> None:
    transport = connect(replace(PATIENCE, farewell=0.05))
    await transport.run(["a"], timeout=5)
    node.holds = "close"
    async with asyncio.timeout(2):
        await transport.close()
    assert node.diary[-2:] == ["close S1", "abort"]
    node.goes_on.set()


async def test_a_call_that_ends_after_the_closing_leaves_no_shell_behind(node: Node) -> None:
    node.speaks.clear()
    node.ends_on_cleanup = False
    transport = connect(replace(PATIENCE, farewell=0.02))
    call = asyncio.create_task(transport.run(["msiexec"], timeout=60))
    await until(node.asked)
    node.holds = "cleanup"
    await transport.close()
    node.goes_on.set()
    node.speaks.set()
    with pytest.raises(ConnectionLost):
        await call
    async with asyncio.timeout(5):
        while node.diary[-1] != "hang up" or node.said("close") != ["close S1"]:
            await asyncio.sleep(0.01)


async def test_a_transport_that_is_closed_asks_for_no_secret(node: Node) -> None:
    secrets = Secrets()
    transport = connect(secrets=secrets)
    await transport.close()
    with pytest.raises(TransportError, match="the connection was closed"):
        await transport.run(["a"], timeout=5)
    assert (secrets.asked, node.wires) == ([], 0)


async def test_calls_one_after_the_other_never_wait_for_a_turn(
    node: Node, transport: WinrmTransport
) -> None:
    for _ in range(CALLS_AT_ONCE + 2):
        await transport.run(["a"], timeout=5)
    node.answers["run"] = [OTHER] * (CALLS_AT_ONCE + 2)
    for _ in range(CALLS_AT_ONCE + 2):
        with pytest.raises(TransportError, match="WinRM refuses the command"):
            await transport.run(["a"], timeout=5)
    assert node.wires == 1


@pytest.mark.parametrize("answer", [GONE, OTHER])
async def test_a_doubtful_shell_that_the_node_does_not_close_is_let_be(
    node: Node, transport: WinrmTransport, answer: Exception
) -> None:
    """It answers, so nothing of ours is lost by going on."""
    node.answers["run"] = [CUT]
    node.answers["close"] = [answer]
    with pytest.raises(ConnectionLost):
        await transport.run(["a"], timeout=5)
    assert (await transport.run(["b"], timeout=5)).exit_code == 0
    assert node.said("close") == ["close S1"]


async def test_a_doubtful_shell_is_closed_when_the_node_is_back(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["run"] = [CUT]
    node.answers["close"] = [CUT]
    for _ in range(2):
        with pytest.raises(TransportError):
            await transport.run(["a"], timeout=5)
    assert (await transport.run(["b"], timeout=5)).exit_code == 0
    assert node.said("close") == ["close S1", "close S1"]


@pytest.mark.parametrize("error", [StopIteration("ShellId"), AssertionError("no CommandId")])
async def test_an_answer_that_lacks_something_is_no_answer(
    node: Node, transport: WinrmTransport, error: Exception
) -> None:
    """So pywinrm puts it. The connection is not used on."""
    node.answers["open"] = [error]
    with pytest.raises(TransportError) as caught:
        await transport.run(["a"], timeout=5)
    assert f"answers as WinRM does not: {type(error).__name__} {error.args[0]}." in str(
        caught.value
    )
    assert node.diary == ["open 65001", "hang up"]


# -- files --------------------------------------------------------------------------------------


def printed(*answers: tuple[bytes, bytes, int]) -> list[tuple[bytes, bytes, int, bool]]:
    return [(*answer, True) for answer in answers]


async def test_a_file_that_cannot_be_written_is_told_in_the_nodes_words(
    node: Node, transport: WinrmTransport
) -> None:
    node.answers["output"] = printed((b"x" * 600, b" Acc\xe8s refus\xe9\r\n", 1))
    with pytest.raises(TransportError) as caught:
        await transport.upload(b"data", "C:\\agent.ps1")
    told = str(caught.value)
    last = f"{'x' * 600} Acc\ufffds refus\ufffd"[-500:]
    assert told == f"OCTO1: C:\\agent.ps1 could not be written. {last}."


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((b"", b"", 2), FileMissing, "OCTO1: there is no file C:\\a.log."),
        (
            (b"", b"Access is denied", 1),
            TransportError,
            "OCTO1: C:\\a.log could not be read. Access is denied.",
        ),
        ((b"abc", b"", 0), TransportError, "OCTO1: C:\\a.log did not arrive whole. abc."),
        ((b"ab!cd", b"", 0), TransportError, "OCTO1: C:\\a.log did not arrive whole. ab!cd."),
    ],
)
async def test_a_file_that_cannot_be_read(
    node: Node, transport: WinrmTransport, answer: tuple[bytes, bytes, int], kind: type, words: str
) -> None:
    node.answers["output"] = printed(answer)
    with pytest.raises(kind) as caught:
        await transport.download("C:\\a.log")
    assert str(caught.value) == words


@pytest.mark.parametrize("size", [0, 1, 3072, 3073, 70_000])
async def test_a_file_goes_over_in_lines_that_the_scripts_can_read(
    node: Node, transport: WinrmTransport, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, sent = bytes(range(256)) * (size // 256 + 1), bytearray()
    take: Callable[..., None] = FakeWire.send_command_input

    def taking(wire: FakeWire, shell: str, command: str, piece: bytes, *, end: bool) -> None:
        sent.extend(piece)
        take(wire, shell, command, piece, end=end)

    monkeypatch.setattr(FakeWire, "send_command_input", taking)
    await transport.upload(data[:size], "C:\\agent.ps1")
    path, *lines = bytes(sent).decode("ascii").splitlines()
    assert base64.b64decode(path) == b"C:\\agent.ps1"
    assert b"".join(base64.b64decode(line) for line in lines) == data[:size]
    assert all(len(line) <= 4096 for line in lines)
    node.answers["output"] = printed((base64.encodebytes(data[:size]), b"", 0))
    assert await transport.download("C:\\agent.ps1") == data[:size]
