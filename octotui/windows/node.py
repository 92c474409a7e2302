"""The typed caller of the agent: a node's operations over whatever transport reaches it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from octotui.api.errors import ConnectionLost, TimedOut
from octotui.api.facts import FileProof, Job, LocalAnswer, NodeFacts, Parked, Services
from octotui.api.node import JobKind
from octotui.api.transport import Completed, Transport
from octotui.windows import scripts
from octotui.windows.answer import UnreadableAnswer, read_answer
from octotui.windows.conversion import ConversionError, convert
from octotui.windows.run_as import RunAs, RunAsAccount

T = TypeVar("T")

PREPARE_LIMIT = 60.0
#: Seconds an operation may take before it is given up, above what it waits by itself. Generous: a
#: busy host starts PowerShell in ten seconds, and facts ask every instance for its configuration.
LIMITS: Mapping[str, float] = {
    "facts": 180.0,
    "services": 60.0,
    "prove-file": 300.0,
    "park": 120.0,
    "unpark": 120.0,
    "job-start": 120.0,
    "job-status": 60.0,
    "request": 60.0,
    "log": 60.0,
    "unstage": 60.0,
}
#: How often a call is tried whose fate is unknown (its answer was lost or came garbled), with these
#: pauses in seconds between. That is safe for all: reads change nothing, and by the contract
#: ``job-start`` attaches to the job that the first call started, while ``park``, ``unpark`` and
#: ``unstage`` find their work done.
LOST_PAUSES = (0.5, 2.0)
#: After a whole time limit one more try is enough; the caller has patience of its own.
TIMED_OUT_PAUSES = (1.0,)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``prepare.ps1`` answers; ``agent_sha256`` is empty where no agent lies there."""

    directory: str
    agent_path: str
    agent_sha256: str


class WindowsNode:
    """One node's operations (``octotui.api.node.NodeOperations``) through its agent.

    ``run_id`` names the run in every call; empty outside of runs. ``run_as`` is the identity of
    jobs. Several calls may be under way at once.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        run_id: str = "",
        run_as: RunAs,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._transport = transport
        self._run_id = run_id
        self._run_as = run_as
        self._sleep = sleep
        self._preparing = asyncio.Lock()
        self._agent_path = ""

    def __repr__(self) -> str:
        return f"WindowsNode({self.name!r})"

    async def facts(self) -> NodeFacts:
        """Reads everything; changes nothing but octotui's own folder on the node."""
        result = await self._call("facts")
        if isinstance(result, dict):
            result = {**result, "node": self.name}
        return self._converted("facts", result, NodeFacts)

    async def services(self) -> Services:
        """The Octopus services and processes as they are now."""
        return self._converted("services", await self._call("services"), Services)

    async def prove_file(self, path: str, sha256: str, signer: str) -> FileProof:
        """Hash, signature and signer of a staged file, on the node, now."""
        result = await self._call("prove-file", path=path, sha256=sha256, signer=signer)
        return self._converted("prove-file", result, FileProof)

    async def park(self) -> Parked:
        """Keeps everything from starting the services; answers what was found the first time."""
        return self._converted("park", await self._call("park"), Parked)

    async def unpark(self) -> Parked:
        """Puts start types and watchdog back as they were found; answers what was put back."""
        return self._converted("unpark", await self._call("unpark"), Parked)

    async def start_job(self, job_id: str, kind: JobKind, parameters: Mapping[str, Any]) -> Job:
        """Starts a job under ``run_as``, or attaches to the one of that id."""
        result = await self._call(
            "job-start",
            id=job_id,
            kind=kind,
            parameters=dict(parameters),
            run_as=self._run_as.parameters(),
        )
        return self._converted("job-start", result, Job)

    async def job(self, job_id: str, *, offset: int = 0, wait: float = 0.0) -> Job:
        """A job's state and its output from ``offset``; waits up to ``wait`` seconds for news."""
        result = await self._call("job-status", waits=wait, id=job_id, offset=offset, wait=wait)
        return self._converted("job-status", result, Job)

    async def request(self, instance: str, path: str, api_key: str = "") -> LocalAnswer:
        """GET ``path`` on the instance's own listen prefix, from the node itself."""
        result = await self._call(
            "request", secrets=(api_key,), instance=instance, path=path, api_key=api_key
        )
        return self._converted("request", result, LocalAnswer)

    async def log(self, path: str, *, limit: int = 65536) -> str:
        """The last ``limit`` bytes of a log on the node, as text. Empty where there is none."""
        result = await self._call("log", path=path, limit=limit)
        text = result.get("text") if isinstance(result, dict) else result
        return self._converted("log", text, str)

    async def unstage(self, file_names: tuple[str, ...]) -> None:
        """Removes staged packages."""
        await self._call("unstage", file_names=list(file_names))

    async def close(self) -> None:
        """Gives the connection up; jobs on the node go on."""
        await self._transport.close()

    async def _call(
        self,
        operation: str,
        *,
        waits: float = 0.0,
        secrets: Sequence[str] = (),
        **parameters: Any,
    ) -> Any:
        """One operation's result. Tried again where the answer was lost or came garbled."""
        request = json.dumps({"run": self._run_id, "parameters": parameters})
        stdin = base64.b64encode(request.encode("utf-8")) + b"\n"
        if isinstance(self._run_as, RunAsAccount):
            secrets = (*secrets, self._run_as.password.get_secret_value())
        limit = LIMITS[operation] + waits

        async def attempt() -> Any:
            path = await self._prepared()
            command = scripts.agent_command(path, operation)
            completed = await self._transport.run(command, stdin=stdin, timeout=limit)
            return read_answer(completed, self.name, secrets)

        return await self._again(attempt)

    async def _again(self, attempt: Callable[[], Awaitable[T]]) -> T:
        tried = 0
        while True:
            try:
                return await attempt()
            except (ConnectionLost, TimedOut, UnreadableAnswer) as error:
                if isinstance(error, UnreadableAnswer):
                    # The agent may be gone or damaged: the next attempt looks.
                    self._agent_path = ""
                pauses = TIMED_OUT_PAUSES if isinstance(error, TimedOut) else LOST_PAUSES
                if tried >= len(pauses):
                    raise
                await self._sleep(pauses[tried])
                tried += 1

    async def _prepared(self) -> str:
        """Where this octotui's agent lies on the node; uploaded first if it is another's."""
        async with self._preparing:
            if not self._agent_path:
                completed = await self._transport.run(
                    scripts.prepare_command(), timeout=PREPARE_LIMIT
                )
                self._agent_path = await self._uploaded(completed)
            return self._agent_path

    async def _uploaded(self, completed: Completed) -> str:
        found = self._converted("prepare", read_answer(completed, self.name), Prepared)
        if found.agent_sha256 != scripts.agent_sha256():
            await self._transport.upload(scripts.agent(), found.agent_path)
        return found.agent_path

    def _converted(self, operation: str, value: object, wanted: type[T]) -> T:
        try:
            return convert(value, wanted)
        except ConversionError as error:
            raise UnreadableAnswer(
                f"the node's answer to {operation} is not understood: {error}",
                code="no-answer",
                node=self.name,
                next_step="Report this as a fault of octotui, with the run's log",
            ) from None
