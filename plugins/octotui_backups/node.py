"""The backup ``node``: SQL Server is asked from the first node, by a job of the agent there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from octotui.api import Backup, BackupEvidence, BackupRequest, Secrets
from octotui.api.errors import (
    BackupError,
    CredentialsRefused,
    NodeError,
    NotTrusted,
    TransportError,
)
from octotui.api.facts import Job
from octotui_backups.settings import NodeBackupSettings

#: Seconds that the node may be out of reach while the job runs there. Generous, for the job goes
#: on without us.
PATIENCE = 1800.0

#: Seconds after which the node answers where there is no news.
_LONG_POLL = 20.0


class NodeBackupProvider:
    """Makes backups by way of a node."""

    name = "node"
    settings: type[BaseModel] = NodeBackupSettings

    def open(self, settings: Any, secrets: Secrets) -> Backup:
        """No I/O. The node's job has its own identity, so no secret is needed."""
        return NodeBackup(settings)


class NodeBackup:
    """Full, COPY_ONLY, with checksums, verified; the agent's job ``backup`` (``docs/agent.md``)."""

    def __init__(self, settings: NodeBackupSettings) -> None:
        self._path = settings.path

    async def begin(self, request: BackupRequest) -> None:
        """Starts the job and waits for its first line: then it has read the configuration, which

        is done by the program that an installer is about to replace. Raises as ``take``.
        """
        job = await self._stay(request, _Lines(lambda _: None), until_first_line=True)
        if job.state != "running":
            self._evidence(request, job)  # raises where it has failed already

    async def take(self, request: BackupRequest) -> BackupEvidence:
        """Starts the job, or attaches to the one of this attempt, and stays with it to its end.

        A lost connection is no event. Raises BackupError with ``outcome_known`` False where the
        job may still run, CredentialsRefused and NotTrusted as they come.
        """
        job = await self._stay(request, _Lines(request.output), until_first_line=False)
        return self._evidence(request, job)

    async def _stay(self, request: BackupRequest, lines: _Lines, *, until_first_line: bool) -> Job:
        try:
            return await self._follow(request, lines, until_first_line)
        except NodeError as error:
            raise self._error(
                request, f"no backup was made: {error.what}", error.meaning
            ) from error
        finally:
            lines.close()

    async def _follow(self, request: BackupRequest, lines: _Lines, until_first_line: bool) -> Job:
        node = request.first_node
        parameters = {"instance": request.instance, "path": self._path}
        loop = asyncio.get_running_loop()
        lost_since: float | None = None
        started = False
        offset = 0
        while True:
            try:
                if not started:
                    await node.start_job(request.attempt_id, "backup", parameters)
                    started = True
                job = await node.job(request.attempt_id, offset=offset, wait=_LONG_POLL)
            except (CredentialsRefused, NotTrusted):
                raise  # nothing that time could heal
            except TransportError as error:
                if lost_since is None:
                    lost_since = loop.time()
                    request.output(
                        f"{node.name} is out of reach, its backup job is looked for until it is "
                        f"back: {error.what}"
                    )
                lost_for = loop.time() - lost_since
                if lost_for > PATIENCE:
                    raise self._out_of_reach(request, error) from error
                # A fiftieth of the wait so far: coming back late costs at most two per cent.
                await asyncio.sleep(min(2.0, max(0.5, lost_for / 50)))
                continue
            lost_since = None
            if job.output:
                lines.take(job.output)
                offset = job.next_offset
                if until_first_line and "\n" in job.output:
                    return job
            elif job.state != "running":
                return job  # the end may come before all of the output did

    def _evidence(self, request: BackupRequest, job: Job) -> BackupEvidence:
        result = job.result
        if job.state != "ended":
            raise self._error(
                request,
                "the backup job is gone without saying how it ended",
                "The node was restarted, or the process was killed there",
            )
        problem = str(result.get("problem") or "")
        if problem or job.exit_code != 0:
            reason = problem or f"the job ended with exit code {job.exit_code}"
            raise self._error(request, f"no backup was made: {reason}")
        verified, file = str(result.get("verified") or ""), str(result.get("file") or "")
        if not verified or not file:
            raise self._error(
                request,
                f"the backup {file or 'of this attempt'} was not verified",
                "A backup that was not read back may be of no use when it is needed",
            )
        size = result.get("size")
        return BackupEvidence(
            name=file,
            database=str(result.get("database") or ""),
            started=_epoch(result.get("started")),
            finished=_epoch(result.get("finished")),
            verified=verified,
            size=size if isinstance(size, int) else None,
        )

    def _error(self, request: BackupRequest, what: str, meaning: str = "") -> BackupError:
        return BackupError(
            what,
            node=request.first_node.name,
            meaning=meaning,
            left="The database is as it was",
            next_step=(
                f"SQL Server's account needs room and the right to write in {self._path}, the "
                "job's account needs db_backupoperator; put right what is missing, then retry"
            ),
        )

    def _out_of_reach(self, request: BackupRequest, error: TransportError) -> BackupError:
        failure = BackupError(
            f"the node is out of reach since {PATIENCE / 60:.0f} minutes",
            node=request.first_node.name,
            meaning=str(error),
            left="The backup may still be under way there; the database is as it was",
            next_step="Make the node reachable, then retry",
        )
        failure.outcome_known = False
        return failure


class _Lines:
    """Passes on whole lines of an output that comes in pieces."""

    def __init__(self, output: Callable[[str], None]) -> None:
        self._output = output
        self._rest = ""

    def take(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._output(line.rstrip("\r"))

    def close(self) -> None:
        if self._rest.strip():
            self._output(self._rest.rstrip("\r"))
        self._rest = ""


def _epoch(value: object) -> float:
    """Seconds since the epoch by the node's clock; 0 where the node does not say."""
    return float(value) if isinstance(value, (int, float)) else 0.0
