"""What a step is: one unit of work in a phase, for the cluster or for one node."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from octotui.api.backup import Backup
from octotui.api.errors import OctotuiError
from octotui.api.node import NodeOperations
from octotui.api.server import OctopusServer
from octotui.api.source import Source
from octotui.upgrade.plan import Plan, PlannedNode
from octotui.upgrade.planned_step import PlannedStep

if TYPE_CHECKING:
    from pydantic import SecretStr

#: So much of a log is fetched from a node, bytes: Windows Installer writes UTF-16, and after the
#: action that failed come hundreds of lines about its undoing.
LOG_BYTES = 1024 * 1024

#: What a step leaves for later steps and for the journal: JSON values only.
Result = Mapping[str, Any]


class StepFailed(OctotuiError):
    """A step did not do what its title says. ``outcome_known`` False: it may have.

    ``log_path`` is a log on the node that tells more.
    """

    def __init__(
        self,
        what: str,
        *,
        node: str | None = None,
        meaning: str = "",
        left: str = "",
        next_step: str = "",
        outcome_known: bool = True,
        log_path: str = "",
    ) -> None:
        super().__init__(what, node=node, meaning=meaning, left=left, next_step=next_step)
        self.outcome_known = outcome_known
        self.log_path = log_path


@dataclass(frozen=True, slots=True)
class Probe:
    """What is true now. ``done`` None: in doubt, and only a person can say."""

    done: bool | None
    evidence: str
    result: Result = field(default_factory=dict)


NOT_DONE = Probe(False, "not done yet")


class Reporter(Protocol):
    """Where a step says what it does; the runner journals it."""

    def waiting(self, reason: str) -> None:
        """What the step waits for now. The same reason again is no news."""
        ...

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None: ...

    def note(self, note: str) -> None:
        """Something that must not be forgotten even if the step fails; the last note counts."""
        ...

    def log(self, node: str | None, text: str) -> None: ...

    def keep(self, name: str, text: str) -> None:
        """Keeps a log fetched from a node as a file of its own beside the journal."""
        ...


class Closable(Protocol):
    async def close(self) -> None: ...


class Clock(Protocol):
    def time(self) -> float:
        """Wall-clock seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real clock; with a virtual event loop, the virtual one's sleep."""

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class World:
    """What steps act on: the cluster, its nodes, and where packages and backups come from."""

    server: OctopusServer
    nodes: Mapping[str, NodeOperations]
    source: Source
    backup: Backup
    cache: Path
    api_key: SecretStr
    clock: Clock

    async def close(self) -> None:
        """Gives up every connection; what cannot be closed any more is closed enough."""
        parts: list[Closable] = [self.server, self.source, *self.nodes.values()]
        for part in parts:
            with contextlib.suppress(OctotuiError):
                await part.close()

    async def __aenter__(self) -> World:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@dataclass(frozen=True, slots=True)
class StepContext:
    """All that a step may know.

    ``results`` holds what steps that ended well left, by step id; ``attempts`` how often each step
    was started, those that never were left out; ``notes`` the last note of steps that left one.
    """

    run_id: str
    plan: Plan
    step: PlannedStep
    attempt: int
    world: World
    report: Reporter
    results: Mapping[str, Result]
    attempts: Mapping[str, int]
    notes: Mapping[str, str]

    @property
    def begun(self) -> Set[str]:
        """Every step that was ever started."""
        return self.attempts.keys()

    @property
    def node(self) -> NodeOperations:
        assert self.step.node is not None, f"{self.step.id} is no node's step"
        return self.world.nodes[self.step.node]

    @property
    def planned_node(self) -> PlannedNode:
        assert self.step.node is not None, f"{self.step.id} is no node's step"
        return self.plan.node(self.step.node)

    def log_name(self, path: str) -> str:
        """The name under which a job's log is kept: its node, and its job, which names the run."""
        job = path.replace("\\", "/").split("/")[-2:][0]
        if not job.startswith(f"{self.run_id}."):
            job = f"{self.run_id}.{job}"
        return f"{self.step.node}-{job}.log"

    @property
    def first(self) -> NodeOperations:
        return self.world.nodes[self.plan.first_node]

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def database_step(self) -> str:
        """The id of the one step that upgrades the database."""
        return f"migrating.database@{self.plan.first_node}"

    @property
    def installer_begun(self) -> bool:
        """Whether new binaries may be on any node: whoever starts them upgrades the database."""
        return any(".install@" in step for step in self.attempts)

    def job_id(self, name: str, part: int = 0) -> str:
        """An id for a job of this attempt: the same when the attempt is taken up again."""
        return self.job_id_of(name, self.attempt, part)

    def job_id_of(self, name: str, attempt: int, part: int = 0) -> str:
        """The id that ``job_id`` gave in that attempt."""
        suffix = f".{part}" if part else ""
        text = f"{self.run_id}.{name}.{attempt}{suffix}".lower()
        return re.sub(r"[^a-z0-9.-]", "-", text)

    def reading_id(self, name: str) -> str:
        """An id for a job that only looks: never the same, or it would tell what was once true."""
        return f"{self.job_id(name)}.{uuid.uuid4().hex[:8]}"

    def result(self, step_id: str) -> Result:
        return self.results.get(step_id, {})


class Step:
    """One kind of step. Instances have no state: everything is in the context."""

    #: Stable: journals hold it, and old journals must still make sense.
    kind: str
    #: Whether a person may stop it half-way without harm.
    interruptible = False

    async def probe(self, context: StepContext) -> Probe:
        """Asked before a step is repeated or taken up again. Looks, changes nothing."""
        return NOT_DONE

    async def apply(self, context: StepContext) -> Result:
        """Does it and proves it; asserts its interlocks right before. Raises OctotuiError."""
        raise NotImplementedError
