"""The backup ``node``: a job on the first node, followed to its end over bad connections too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from octotui.api import BackupEvidence, BackupRequest
from octotui.api.errors import (
    BackupError,
    ConnectionLost,
    CredentialsRefused,
    NodeError,
    Unreachable,
)
from octotui.api.facts import Job
from octotui_backups.node import PATIENCE, NodeBackup
from octotui_backups.settings import NodeBackupSettings

RESULT: Mapping[str, object] = {
    "problem": "",
    "file": r"\\backup\octopus\Octopus-20260101-000000.bak",
    "database": "Octopus",
    "server": "sql1",
    "started": 1000.0,
    "finished": 1060,
    "size": 4096,
    "verified": "RESTORE VERIFYONLY WITH CHECKSUM",
}


def job(
    state: Any, output: str = "", offset: int = 0, exit_code: int | None = None, **result: Any
) -> Job:
    return Job("a1", state, exit_code, {**RESULT, **result}, output, offset)


ENDED = job("ended", exit_code=0)


class FirstNode:
    """Answers what a test wrote down, in that order, and notes what it was asked."""

    name = "OCTO1"

    def __init__(self, *answers: Job | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def start_job(self, job_id: str, kind: str, parameters: Mapping[str, Any]) -> Job:
        self.asked.append(("start", job_id, kind, dict(parameters)))
        return self._next()

    async def job(self, job_id: str, *, offset: int = 0, wait: float = 0.0) -> Job:
        self.asked.append((job_id, offset, wait))
        return self._next()

    def _next(self) -> Job:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeping takes no time but moves the clock; the naps are noted."""
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    class Loop:
        def time(self) -> float:
            return sum(naps)

    monkeypatch.setattr("octotui_backups.node.asyncio.sleep", sleep)
    monkeypatch.setattr("octotui_backups.node.asyncio.get_running_loop", Loop)
    return naps


async def take(
    *answers: Job | Exception,
) -> tuple[BackupEvidence | BackupError, FirstNode, list[str]]:
    node: Any = FirstNode(*answers)
    lines: list[str] = []
    backup = NodeBackup(NodeBackupSettings(path=r"\\backup\octopus"))
    request = BackupRequest("a1", node, "OctopusServer", {"OCTO1": node}, lines.append)
    try:
        return await backup.take(request), node, lines
    except BackupError as error:
        return error, node, lines


async def test_the_job_is_started_and_followed_and_its_evidence_returned() -> None:
    evidence, node, lines = await take(
        job("running"),
        job("running", "5 percent\r\n10 per", 17),
        job("running", "cent\n", 22),
        job("running", "", 22),
        job("ended", "done", 26, exit_code=0),
        ENDED,
    )
    assert evidence == BackupEvidence(
        name=r"\\backup\octopus\Octopus-20260101-000000.bak",
        database="Octopus",
        started=1000.0,
        finished=1060.0,
        verified="RESTORE VERIFYONLY WITH CHECKSUM",
        size=4096,
    )
    parameters = {"instance": "OctopusServer", "path": r"\\backup\octopus"}
    assert node.asked[0] == ("start", "a1", "backup", parameters)
    assert node.asked[1:] == [("a1", o, 20.0) for o in (0, 17, 22, 22, 26)]
    assert lines == ["5 percent", "10 percent", "done"]


async def test_a_lost_connection_is_no_event(clock: list[float]) -> None:
    lost = ConnectionLost("the connection broke", node="OCTO1")
    evidence, node, lines = await take(
        lost,  # the start may have had its effect: asking again attaches
        job("running"),
        job("running", "half\n", 5),
        *[Unreachable("refused", node="OCTO1")] * 3,
        job("running", "rest\n", 10),
        ENDED,
    )
    assert isinstance(evidence, BackupEvidence)
    assert [each[0] for each in node.asked].count("start") == 2
    assert node.asked[-1] == ("a1", 10, 20.0)
    looking = "OCTO1 is out of reach, its backup job is looked for until it is back"
    assert lines == [f"{looking}: the connection broke", "half", f"{looking}: refused", "rest"]
    assert clock == [0.5] * 4


async def test_patience_has_an_end_and_the_outcome_is_unknown_then(clock: list[float]) -> None:
    error, _, _ = await take(job("running"), Unreachable("no route", node="OCTO1"))
    assert isinstance(error, BackupError)
    assert not error.outcome_known
    assert "out of reach since 30 minutes" in str(error)
    assert PATIENCE < sum(clock) < PATIENCE + 3
    assert max(clock) == 2.0


async def test_what_time_cannot_heal_is_told_at_once() -> None:
    with pytest.raises(CredentialsRefused):
        await take(job("running"), CredentialsRefused("wrong password", node="OCTO1"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (job("ended", exit_code=1, problem="SQL Server says: access denied"), "access denied"),
        (job("ended", exit_code=7), "ended with exit code 7"),
        (job("ended", exit_code=0, verified=""), "was not verified"),
        (job("ended", exit_code=0, file=""), "was not verified"),
        (job("lost"), "gone without saying how it ended"),
        (job("absent"), "gone without saying how it ended"),
        (
            NodeError("no such instance", code="no-such-instance"),
            "no backup was made: no such inst",
        ),
    ],
)
async def test_failures_are_sentences_for_a_person(answer: Job | Exception, told: str) -> None:
    error, _, _ = await take(job("running"), answer)
    assert isinstance(error, BackupError)
    assert told in str(error)
    assert str(error).startswith("OCTO1: ")
    assert error.left
    assert error.next_step


@pytest.mark.parametrize("path", [r"\\backup\octopus", r"D:\Backup", "/tmp/node1/backup", "d:/x"])
def test_folders(path: str) -> None:
    assert NodeBackupSettings(path=path).path == path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "at least 1"),
        ("backup", "must be absolute"),
        ("C:backup", "must be absolute"),
        ("\\\backup\new", "control characters"),
    ],
)
def test_what_is_no_folder(path: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        NodeBackupSettings(path=path)


async def test_beginning_waits_for_the_line_that_says_the_configuration_is_read() -> None:
    node: Any = FirstNode(job("running"), job("running", "", 0), job("running", "backing up\n", 11))
    backup = NodeBackup(NodeBackupSettings(path=r"\\backup\octopus"))
    request = BackupRequest("a1", node, "OctopusServer", {"OCTO1": node}, lambda _: None)
    await backup.begin(request)
    assert [asked[:2] for asked in node.asked] == [("start", "a1"), ("a1", 0), ("a1", 0)]
