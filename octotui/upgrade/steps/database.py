"""The database: what state it is in, and its one upgrade."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from octotui.api.facts import (
    DatabaseNode,
    DatabaseState,
    InstalledVersion,
    Job,
    NodeFacts,
)
from octotui.api.node import NodeOperations
from octotui.upgrade.interlocks import (
    demand,
    no_backup,
    not_stopped,
    ran_since,
    schema_changed,
    wrong_binaries,
)
from octotui.upgrade.steps.base import Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.installing import backup_evidence, observe_services
from octotui.upgrade.steps.waits import follow_job, problem_of
from octotui.upgrade.together import together

#: The server refuses while another node looks alive, by heartbeats that lag some seconds behind a
#: clean stop (I#8241, I#5176); the vendor's script tries three times, ten seconds apart.
LOOKS_ALIVE_PAUSE = 10.0
LOOKS_ALIVE_LIMIT = 600.0

_LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+\s+\d+\s+\d+\s+[A-Z]+\s+")

#: A migrator that is none of this attempt's jobs is looked at this often, seconds.
MIGRATOR_PAUSE = 5.0


def state_from(result: Mapping[str, Any]) -> DatabaseState:
    """DatabaseState from the result of a ``database-state`` job. Raises StepFailed."""
    state = result.get("state")
    if not isinstance(state, Mapping):
        raise StepFailed(
            f"the state of the database could not be read: {result.get('problem') or 'no answer'}",
            next_step="Look at the node's log, then retry",
        )
    values = dict(state)
    values["history"] = tuple(InstalledVersion(**row) for row in state["history"])
    values["nodes"] = tuple(DatabaseNode(**row) for row in state["nodes"])
    return DatabaseState(**values)


async def read_state_anywhere(context: StepContext) -> DatabaseState:
    """The database as the first node sees it, else another: an installer may have left one without

    the program that knows where the database is. Raises what the last node asked raises.
    """
    for node in (context.plan.first_node, *context.plan.other_nodes):
        try:
            return await read_state(context, context.world.nodes[node])
        except StepFailed as error:
            failure = error
    raise failure


async def read_state(context: StepContext, node: NodeOperations) -> DatabaseState:
    """The database as the identity of ``[jobs] run_as`` sees it from the node, now."""
    instance = context.plan.node(node.name).instance
    job_id = context.reading_id("database-state")
    job = await follow_job(context, node, job_id, "database-state", {"instance": instance})
    return state_from(job.result)


NOTED = "installing.last-seen"


class NoteLastSeen(Step):
    """What the database says of every stopped node, before the backup: none may run after it."""

    kind = "note-last-seen"

    async def apply(self, context: StepContext) -> Result:
        demand("note when the nodes were last seen", not_stopped(await observe_services(context)))
        state = await read_state(context, context.first)
        if not state.reachable:
            raise StepFailed(
                f"the database cannot be asked: {state.problem}",
                left="Every node is stopped and parked; nothing was installed",
                next_step="Make the database reachable for the identity of [jobs], then retry",
            )
        return {"last_seen": {node.name: node.last_seen for node in state.nodes}}


class UpgradeDatabase(Step):
    """The one database upgrade of a run, on the first node, with every other node stopped."""

    kind = "upgrade-database"

    async def probe(self, context: StepContext) -> Probe:
        begun = await self._begun(context)
        if begun and begun[-1].state == "running":
            return Probe(False, "the upgrade is still running; it is waited for")
        if context.notes.get(context.step.id) == "ended-well":
            return Probe(True, "the upgrade ended well", {"again": True})
        state = await read_state(context, context.node)
        while state.migrator_running:
            context.report.waiting("a database upgrade that was begun before still runs")
            await context.clock.sleep(MIGRATOR_PAUSE)
            state = await read_state(context, context.node)
        if not state.reachable:
            return Probe(None, f"the database cannot be asked: {state.problem}")
        if state.schema_version == context.plan.to_version:
            return Probe(True, f"the database is {state.schema_version} already", {"again": True})
        return Probe(False, f"the database is {state.schema_version}")

    async def _begun(self, context: StepContext) -> list[Job]:
        """The jobs of this attempt, where it is taken up again: they went on without us."""
        jobs: list[Job] = []
        while True:
            job = await context.node.job(context.job_id("database-upgrade", len(jobs)))
            if job.state == "absent":
                return jobs
            jobs.append(job)

    async def apply(self, context: StepContext) -> Result:
        begun = context.clock.time()
        before = len(await self._begun(context))
        part = max(0, before - 1)
        while True:
            if part >= before:  # else this attaches to what was begun before, and begins nothing
                await self._assert_interlocks(context)
            said = _Said()
            context.report.note("begun")
            job = await follow_job(
                context,
                context.node,
                context.job_id("database-upgrade", part),
                "database-upgrade",
                {"instance": context.planned_node.instance},
                on_output=partial(self._progress, context, said),
            )
            if job.exit_code == 0:
                context.report.note("ended-well")
                break
            context.report.note("failed")
            state = await read_state(context, context.node)
            unchanged = not schema_changed(state, context.plan.from_version)
            waited = context.clock.time() - begun
            if unchanged and said.looks_alive and waited < LOOKS_ALIVE_LIMIT:
                context.report.waiting(
                    "Octopus still takes another node for alive; its heartbeat lags behind the stop"
                )
                await context.clock.sleep(LOOKS_ALIVE_PAUSE)
                part += 1
                continue
            raise self._failure(context, problem_of(job), said, state, unchanged)
        context.report.waiting("")
        # The program's exit code is the proof. The history need not name the new version yet:
        # whether the verb or the server's first start writes that row is not documented.
        state = await read_state(context, context.node)
        if not state.reachable:
            raise StepFailed(
                f"the upgrade ended well, but now the database cannot be asked: {state.problem}",
                node=context.step.node,
                left="Every node is stopped and parked; the backup is at hand",
                next_step="Make the database reachable, then retry: it is not upgraded again",
            )
        return {"schema_version": state.schema_version, "parts": part + 1}

    async def _assert_interlocks(self, context: StepContext) -> None:
        """R1, R2, R6 by what is observed now, right before the act."""
        facts: NodeFacts
        state: DatabaseState
        facts, state = await together([context.node.facts(), read_state(context, context.node)])
        # Last and alone: both readings above run Octopus.Server.exe, and this look is the freshest.
        reasons = not_stopped(await observe_services(context))
        reasons += no_backup(backup_evidence(context))
        reasons += wrong_binaries(facts.version, context.plan.to_version)
        reasons += schema_changed(state, context.plan.from_version)
        reasons += ran_since(context.result(NOTED).get("last_seen", {}), state)
        demand("upgrade the database", reasons, node=context.step.node)

    def _progress(self, context: StepContext, said: _Said, text: str) -> None:
        said.take(text)
        if said.last:
            context.report.progress(f"{said.scripts} scripts so far: {said.last[-1][-100:]}")

    def _failure(
        self,
        context: StepContext,
        problem: str,
        said: _Said,
        state: DatabaseState,
        unchanged: bool,
    ) -> StepFailed:
        if unchanged:
            left = f"The database is unchanged, still {state.schema_version}"
            step = "Rolling back needs no restore. Or put the cause right and retry"
        else:
            left = f"The database is {state.schema_version or 'in an unknown state'}"
            step = "Do not start anything. Retry looks first; a restore is a person's decision"
        return StepFailed(
            f"the database upgrade failed: {problem}",
            node=context.step.node,
            meaning="Its last lines: " + " | ".join(said.last),
            left=left,
            next_step=step,
            outcome_known=unchanged,
        )


class _Said:
    """What the program has said so far, as much of it as is needed: it may go on for hours."""

    def __init__(self) -> None:
        self.scripts = 0
        self.last: deque[str] = deque(maxlen=5)
        self.looks_alive = False
        self._rest = ""

    def take(self, text: str) -> None:
        """Takes a piece of output; a line counts once it is whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self.scripts += "Executing SQL Server script" in line
            self.looks_alive = self.looks_alive or _names_a_live_node(line)
            if line.strip():
                # Without date, process, thread and level.
                self.last.append(_LOG_PREFIX.sub("", line.strip()))


def _names_a_live_node(line: str) -> bool:
    """Whether the server says that another node looks alive; its exact words are not known."""
    lowered = line.lower()
    named = "another" in lowered or "other node" in lowered
    return "node" in lowered and named and any(w in lowered for w in ("running", "alive", "online"))
