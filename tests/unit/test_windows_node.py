"""The typed caller of the agent, over a transport that plays a node."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import octotui.windows
from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    NodeError,
    OctotuiError,
    TimedOut,
    TransportError,
    Unreachable,
)
from octotui.api.facts import FileProof, Job, LocalAnswer, Parked, Services
from octotui.api.node import NodeOperations
from octotui.api.transport import Completed, Output, Transport
from octotui.windows import RunAs, RunAsAccount, RunAsManaged, RunAsSystem, WindowsNode, scripts
from octotui.windows.answer import UnreadableAnswer
from octotui.windows.node import LIMITS
from octotui.windows.refusals import REFUSALS

AGENT_PATH = "C:\\ProgramData\\octotui\\agent.ps1"
PASSWORD = "hunter2 is short"
DONE = {"services": [], "processes": []}


def framed(answer: object) -> bytes:
    return f"<<<octotui-answer\r\n{json.dumps(answer)}\r\noctotui-answer>>>\r\n".encode()


def ok(result: object) -> bytes:
    return framed({"ok": True, "result": result})


class FakeTransport:
    """A node that answers in turn: bytes are printed, Completed given back, errors raised."""

    def __init__(self, *answers: bytes | Completed | Exception, sha256: str = "") -> None:
        self.answers = list(answers)
        self.sha256 = sha256
        self.prepared = 0
        self.uploads: list[tuple[bytes, str]] = []
        self.calls: list[tuple[str, dict[str, Any], float]] = []
        self.commands: list[Sequence[str]] = []
        self.lost: list[Exception] = []
        self.closed = False

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        output: Output | None = None,
    ) -> Completed:
        self.commands.append(command)
        if "-EncodedCommand" in command:
            self.prepared += 1
            if self.lost:
                raise self.lost.pop(0)
            found = {
                "directory": AGENT_PATH.rpartition("\\")[0],
                "agent_path": AGENT_PATH,
                "agent_sha256": self.sha256,
            }
            return Completed(0, b"\xef\xbb\xbf" + ok(found), b"")
        assert stdin.count(b"\n") == 1
        self.calls.append((command[-1], json.loads(base64.b64decode(stdin)), timeout))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Completed) else Completed(0, answer, b"")

    async def upload(self, data: bytes, path: str) -> None:
        self.uploads.append((data, path))

    async def download(self, path: str) -> bytes:
        raise AssertionError(path)

    async def close(self) -> None:
        self.closed = True


class Pauses:
    """A sleep that only remembers."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def a_node(
    *answers: bytes | Completed | Exception,
    run_as: RunAs | None = None,
    sha256: str = "",
) -> tuple[WindowsNode, FakeTransport, Pauses]:
    transport = FakeTransport(*answers or (ok(DONE),), sha256=sha256)
    pauses = Pauses()
    account = RunAsAccount("EX\\octo", SecretStr(PASSWORD))
    node = WindowsNode("OCTO1", transport, run_id="r1", run_as=run_as or account, sleep=pauses)
    return node, transport, pauses


def test_it_is_what_the_application_calls_a_node() -> None:
    node, transport, _ = a_node()
    operations: NodeOperations = node
    carrier: Transport = transport
    assert operations.name == "OCTO1"
    assert carrier is transport
    assert PASSWORD not in repr(node) + repr(RunAsAccount("x", SecretStr(PASSWORD)))


# -- preparing ---------------------------------------------------------------------------------


async def test_the_agent_is_uploaded_once_where_it_differs() -> None:
    node, transport, _ = a_node()
    await node.services()
    await node.services()
    file = Path(octotui.windows.__file__).with_name("agent.ps1")
    assert transport.uploads == [(file.read_bytes(), AGENT_PATH)]
    assert transport.prepared == 1


async def test_an_agent_that_lies_there_already_is_not_uploaded() -> None:
    node, transport, _ = a_node(sha256=scripts.agent_sha256())
    await node.services()
    assert (transport.uploads, transport.prepared) == ([], 1)


async def test_an_agent_of_another_octotui_is_replaced_before_anything_is_asked_of_it() -> None:
    """What lies there runs as administrator: it must be ours to the last bit."""
    other = scripts.agent_sha256()[:-1] + ("0" if scripts.agent_sha256()[-1] != "0" else "1")
    node, transport, _ = a_node(sha256=other)
    asked: list[int] = []
    upload = transport.upload

    async def noting(data: bytes, path: str) -> None:
        asked.append(len(transport.calls))
        await upload(data, path)

    transport.upload = noting  # type: ignore[method-assign]
    await node.services()
    assert transport.uploads == [(scripts.agent(), AGENT_PATH)]
    assert (asked, len(transport.calls)) == ([0], 1)


@pytest.mark.parametrize(
    ("error", "tries", "taken"),
    [
        (ConnectionLost("lost", node="OCTO1"), 3, [0.5, 2.0]),
        (TimedOut("slow", node="OCTO1"), 2, [1.0]),
        (Unreachable("refused", node="OCTO1"), 1, []),
        (TransportError("the disk is full", node="OCTO1"), 1, []),
    ],
)
async def test_an_agent_that_could_not_be_uploaded_is_asked_nothing(
    error: OctotuiError, tries: int, taken: list[float]
) -> None:
    node, transport, pauses = a_node()
    uploads: list[str] = []

    async def failing(data: bytes, path: str) -> None:
        uploads.append(path)
        raise error

    transport.upload = failing  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        await node.park()
    assert (len(uploads), transport.prepared) == (tries, tries)
    assert pauses.taken == taken
    assert transport.calls == []
    # The next call begins anew; nothing was taken for prepared.
    del transport.upload  # type: ignore[method-assign]
    await node.services()
    assert len(transport.uploads) == 1


async def test_calls_at_once_prepare_the_node_once() -> None:
    node, transport, _ = a_node()
    await asyncio.gather(node.services(), node.services(), node.services())
    assert (transport.prepared, len(transport.uploads), len(transport.calls)) == (1, 1, 3)


async def test_after_a_lost_answer_the_agent_is_not_looked_at_again() -> None:
    node, transport, _ = a_node(ConnectionLost("lost", node="OCTO1"), ok(DONE))
    await node.services()
    assert (transport.prepared, len(transport.calls)) == (1, 2)


@pytest.mark.parametrize(
    ("errors", "taken"),
    [
        # A time limit uses up patience, and so does a cut: nobody is asked for ever.
        ([TimedOut("slow"), ConnectionLost("cut"), ConnectionLost("cut")], [1.0, 2.0]),
        ([ConnectionLost("cut"), TimedOut("slow")], [0.5]),
    ],
)
async def test_cuts_and_time_limits_count_together(
    errors: list[OctotuiError], taken: list[float]
) -> None:
    node, transport, pauses = a_node(*errors)
    with pytest.raises(type(errors[-1])):
        await node.services()
    assert pauses.taken == taken
    assert len(transport.calls) == len(errors)


async def test_a_connection_lost_while_preparing_is_tried_again() -> None:
    node, transport, pauses = a_node()
    transport.lost = [ConnectionLost("lost", node="OCTO1")]
    await node.services()
    assert (transport.prepared, len(pauses.taken)) == (2, 1)


def test_preparing_fits_into_a_command_line_and_keeps_its_first_line() -> None:
    command = scripts.prepare_command()
    assert len(" ".join(command)) < 8000
    text = base64.b64decode(command[-1]).decode("utf-16-le")
    assert text.startswith("# octotui prepare\n")
    assert not re.search(r"^\s*#", text.partition("\n")[2], re.MULTILINE)


# -- calls -------------------------------------------------------------------------------------


Call = Callable[[WindowsNode], Any]
PARKED = {"services": [], "watchdog": [{"name": "W", "enabled": True}]}
PROOF = {
    "path": "p",
    "exists": False,
    "size": 0,
    "sha256": "",
    "signature": "",
    "signer": "",
    "proved": False,
    "reasons": ["the file does not exist"],
}
JOB = {
    "id": "a.1",
    "state": "ended",
    "exit_code": 0,
    "result": {"problem": ""},
    "output": "said",
    "next_offset": 4,
}
CALLS: dict[str, tuple[Call, object, dict[str, Any], type]] = {
    "services": (lambda n: n.services(), DONE, {}, Services),
    "park": (lambda n: n.park(), PARKED, {}, Parked),
    "unpark": (lambda n: n.unpark(), PARKED, {}, Parked),
    "prove-file": (
        lambda n: n.prove_file("p", "00", "same-as-installed"),
        PROOF,
        {"path": "p", "sha256": "00", "signer": "same-as-installed"},
        FileProof,
    ),
    "job-start": (
        lambda n: n.start_job("a.1", "stop", {"timeout": 5.0}),
        JOB,
        {
            "id": "a.1",
            "kind": "stop",
            "parameters": {"timeout": 5.0},
            "run_as": {"kind": "account", "username": "EX\\octo", "password": PASSWORD},
        },
        Job,
    ),
    "job-status": (
        lambda n: n.job("a.1", offset=7, wait=20.0),
        JOB,
        {"id": "a.1", "offset": 7, "wait": 20.0},
        Job,
    ),
    "request": (
        lambda n: n.request("I", "/api", "API-KEY1"),
        {"status": 200, "body": "{}"},
        {"instance": "I", "path": "/api", "api_key": "API-KEY1"},
        LocalAnswer,
    ),
    "log": (lambda n: n.log("p"), {"text": "line"}, {"path": "p", "limit": 65536}, str),
    "unstage": (
        lambda n: n.unstage(("a.msi",)),
        {"removed": []},
        {"file_names": ["a.msi"]},
        type(None),
    ),
}


@pytest.mark.parametrize("operation", CALLS)
async def test_every_operation_asks_by_the_contract(operation: str) -> None:
    call, answer, parameters, wanted = CALLS[operation]
    node, transport, _ = a_node(ok(answer))
    assert isinstance(await call(node), wanted)
    ((name, request, timeout),) = transport.calls
    assert name == operation
    assert request == {"run": "r1", "parameters": parameters}
    assert timeout == LIMITS[operation] + (20.0 if operation == "job-status" else 0.0)
    command = transport.commands[-1]
    assert command[0] == "powershell.exe"
    assert command[-3:] == ("-File", AGENT_PATH, operation)
    assert PASSWORD not in " ".join(command)
    assert "API-KEY1" not in " ".join(command)


async def test_facts_bear_the_nodes_name_of_the_profile() -> None:
    file = Path(__file__).with_name("windows_facts.json")
    node, _, _ = a_node(ok(json.loads(file.read_text())))
    facts = await node.facts()
    assert (facts.node, facts.computer) == ("OCTO1", "WIN-7")
    assert facts.services.services[0].state == "running"


@pytest.mark.parametrize(
    ("run_as", "told"),
    [
        (RunAsSystem(), {"kind": "system"}),
        (RunAsManaged("EX\\o$"), {"kind": "gmsa", "username": "EX\\o$"}),
    ],
)
async def test_jobs_run_under_the_identity_given(run_as: RunAs, told: dict[str, str]) -> None:
    node, transport, _ = a_node(ok(JOB), run_as=run_as)
    await node.start_job("a.1", "stop", {"timeout": 5})
    assert transport.calls[0][1]["parameters"]["run_as"] == told


async def test_closing_gives_the_connection_up() -> None:
    node, transport, _ = a_node()
    await node.close()
    assert transport.closed


# -- answers -----------------------------------------------------------------------------------

ANSWER = ok(DONE).decode()
LONG = framed({"ok": True, "result": {"status": 1, "body": "word " * 100}}).decode()


@pytest.mark.parametrize(
    "printed",
    [
        ANSWER,
        ANSWER.replace("\r\n", "\n"),
        "\ufeff" + ANSWER,
        "Profile says hello\r\n<not xml>\r\n" + ANSWER + "and goodbye {}\r\n",
        "noise without an end of line " + ANSWER.strip(),
        "<<<octotui-answer of somebody's\r\n" + ANSWER,
    ],
)
async def test_noise_around_an_answer_is_ignored(printed: str) -> None:
    node, _, _ = a_node(printed.encode())
    assert await node.services() == Services((), ())


async def test_utf_16_and_wrapped_lines_are_read() -> None:
    node, _, _ = a_node(b"\xff\xfe" + ANSWER.encode("utf-16-le"))
    assert await node.services() == Services((), ())
    lines = LONG.split("\r\n")
    wrapped = [lines[1][i : i + 80] for i in range(0, len(lines[1]), 80)]
    node, _, _ = a_node("\r\n".join([lines[0], *wrapped, *lines[2:]]).encode())
    assert (await node.request("I", "/")).body == "word " * 100


CLIXML = (
    '#< CLIXML\r\n<Objs Version="1.1.0.1"><Obj S="progress"></Obj>'
    '<S S="Error">The term is not &lt;known&gt;_x000D__x000A_</S></Objs>'
)


@pytest.mark.parametrize(
    ("completed", "what", "shown"),
    [
        (Completed(0, b"", b""), "did not answer", "Nothing came instead"),
        (Completed(1, b"", b"Access\r\n\r\nis denied\r\n"), "exit code 1", "Access | is denied"),
        (Completed(1, b"#!", CLIXML.encode()), "did not answer", "The term is not <known>"),
        (Completed(0, ANSWER[:-30].encode(), b""), "is cut off", "octotui-answer"),
        (Completed(0, ANSWER.replace("true", "tru").encode(), b""), "is garbled", "tru"),
        (Completed(0, framed([1]), b""), "another form", "[1]"),
        (Completed(0, framed({"ok": True}), b""), "another form", "ok"),
        (Completed(0, framed({"ok": False, "error": "x"}), b""), "another form", "x"),
        (Completed(0, framed({"ok": 1, "result": {}}), b""), "another form", "result"),
        (Completed(0, b"\xff\xff\x00garbage\n" * 9000, b""), "did not answer", "garbage"),
    ],
)
async def test_what_is_no_answer_is_shown(completed: Completed, what: str, shown: str) -> None:
    node, _, _ = a_node(completed)
    with pytest.raises(NodeError) as caught:
        await node.services()
    error = caught.value
    assert what in error.what
    assert shown in str(error)
    assert (error.node, error.code, error.outcome_known) == ("OCTO1", "no-answer", False)
    assert error.next_step
    assert len(str(error)) < 1500


@pytest.mark.parametrize(
    "text",
    [
        f"cannot log on with {PASSWORD} there",
        "key API-KEY1 refused",
        "Server=x;Password=swordfish;User",
        'pwd: "swordfish"',
    ],
)
async def test_no_secret_is_shown(text: str) -> None:
    node, _, _ = a_node(Completed(1, text.encode(), b""))
    with pytest.raises(NodeError) as caught:
        await node.request("I", "/api", "API-KEY1")
    for secret in (PASSWORD, "API-KEY1", "swordfish"):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value)
    assert "***" in str(caught.value)


async def test_an_answer_of_the_wrong_shape_names_the_field() -> None:
    node, _, _ = a_node(ok({"services": [{"name": 1}], "processes": []}))
    with pytest.raises(NodeError, match="services is not understood: services") as caught:
        await node.services()
    assert (caught.value.code, caught.value.outcome_known) == ("no-answer", False)


@pytest.mark.parametrize("operation", CALLS)
async def test_after_garbage_the_agent_is_looked_at_and_asked_again(operation: str) -> None:
    call, answer, _, wanted = CALLS[operation]
    node, transport, pauses = a_node(b"garbage", ANSWER[:-30].encode(), ok(answer))
    assert isinstance(await call(node), wanted)
    assert transport.calls[0] == transport.calls[2]
    assert pauses.taken == [0.5, 2.0]
    assert transport.prepared == 3


async def test_garbage_that_does_not_end_is_told() -> None:
    node, transport, pauses = a_node(b"garbage")
    with pytest.raises(UnreadableAnswer):
        await node.services()
    assert len(transport.calls) == 3
    assert pauses.taken == [0.5, 2.0]


@pytest.mark.parametrize("code", [*REFUSALS, "failed", "something-new"])
async def test_every_refusal_is_sentences_for_a_person(code: str) -> None:
    error = {"code": code, "message": f"it says {PASSWORD}.", "detail": {"at": "line 1"}}
    node, transport, _ = a_node(framed({"ok": False, "error": error}))
    with pytest.raises(NodeError) as caught:
        await node.park()
    assert (caught.value.code, caught.value.node) == (code, "OCTO1")
    assert caught.value.what == "it says ***"
    assert caught.value.detail == {"at": "line 1"}
    assert caught.value.next_step
    assert caught.value.outcome_known
    assert len(transport.calls) == 1


def test_every_code_of_the_contract_has_its_sentences(repository: Path) -> None:
    text = (repository / "docs" / "agent.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Error codes:"))
    codes = set(re.findall(r"`([a-z-]+)`", line))
    assert codes == {*REFUSALS, "failed"}


# -- the connection ----------------------------------------------------------------------------


@pytest.mark.parametrize("operation", CALLS)
async def test_a_call_whose_answer_was_lost_is_made_again(operation: str) -> None:
    call, answer, _, wanted = CALLS[operation]
    lost = ConnectionLost("the connection broke", node="OCTO1")
    node, transport, pauses = a_node(lost, lost, ok(answer))
    assert isinstance(await call(node), wanted)
    assert len(transport.calls) == 3
    assert transport.calls[0] == transport.calls[2]
    assert pauses.taken == [0.5, 2.0]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ConnectionLost("lost", node="OCTO1"), 3),
        (TimedOut("slow", node="OCTO1"), 2),
        (Unreachable("refused", node="OCTO1"), 1),
        (CredentialsRefused("no", node="OCTO1"), 1),
    ],
)
async def test_patience_has_an_end(error: OctotuiError, tries: int) -> None:
    node, transport, _ = a_node(error)
    with pytest.raises(type(error)) as caught:
        await node.services()
    assert caught.value is error
    assert len(transport.calls) == tries
