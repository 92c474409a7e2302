"""Starting a node with the binaries that fit the database, and proving that it serves."""

from __future__ import annotations

import json

from octotui.api.errors import TransportError
from octotui.upgrade.interlocks import demand, wrong_binaries
from octotui.upgrade.steps.base import NOT_DONE, Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.database import read_state_anywhere
from octotui.upgrade.steps.waits import follow_job, problem_of, until

#: The service counts as Running within seconds, long before the server serves.
START_LIMIT = 600

#: A first start after an upgrade checks its directory and rebuilds caches; minutes are normal.
SERVING_LIMIT = 1800.0

#: While a node does not serve, its service is looked at this often; seconds.
LOOK_EVERY = 10.0

#: A service that is stopped this long is not started again by its recovery actions; seconds.
STAYS_STOPPED = 30.0


class Start(Step):
    """Starts a node's services. R3: only with binaries of the schema's version."""

    kind = "start"

    async def probe(self, context: StepContext) -> Probe:
        if f"stopping.park@{context.step.node}" not in context.begun:
            return Probe(True, "the node was never stopped")
        return NOT_DONE

    async def apply(self, context: StepContext) -> Result:
        await start(context, "start")
        return {"started_at": context.clock.time()}


async def start(context: StepContext, job: str) -> None:
    """Starts the step's node, if its binaries are of the schema's version (R3)."""
    facts = await context.node.facts()
    schema = await _schema_version(context)
    demand("start the node", wrong_binaries(facts.version, schema), node=context.step.node)
    ended = await follow_job(
        context, context.node, context.job_id(job), "start", {"timeout": START_LIMIT}
    )
    if problem := problem_of(ended):
        raise StepFailed(
            f"the service did not start: {problem}",
            node=context.step.node,
            left="The node is stopped",
            next_step="Look at the server's log and the event log of the node, then retry",
        )


async def _schema_version(context: StepContext) -> str:
    """What the database was proved to be: by the upgrade's own proof, else asked anew."""
    if context.database_step in context.results and context.step.phase != "rolling_back":
        return context.plan.to_version
    if not context.installer_begun:  # only new binaries upgrade it, and there are none
        return context.plan.from_version
    state = await read_state_anywhere(context)
    return state.schema_version


class WaitUntilServing(Step):
    """Waits until the node answers with the right version and an authenticated read succeeds."""

    kind = "serving"

    async def probe(self, context: StepContext) -> Probe:
        reason = await self._reason(context)
        return Probe(not reason, reason or "the node serves", {"serving_at": context.clock.time()})

    async def apply(self, context: StepContext) -> Result:
        if context.attempt > 1 and (await context.node.services()).proved_stopped:
            # It ended by itself after the step before had started it.
            await start(context, "start-again")
        stopped = _StoppedByItself(context)

        async def ask() -> str:
            reason = await self._reason(context)
            if reason:
                await stopped.look()
            return reason

        await until(
            context,
            ask,
            limit=SERVING_LIMIT,
            what=f"{context.step.node} serving {self._version(context)}",
        )
        return {"serving_at": context.clock.time(), "version": self._version(context)}

    def _version(self, context: StepContext) -> str:
        back = context.step.phase == "rolling_back"
        return context.plan.from_version if back else context.plan.to_version

    async def _reason(self, context: StepContext) -> str:
        """Why the node does not serve yet; empty where it does."""
        node = context.planned_node
        wanted = self._version(context)
        if node.url:
            answer = await context.world.server.serving(node.url)
            version, serving, reason = answer.version, answer.serving, answer.reason
        else:
            version, serving, reason = await self._ask_locally(context)
        if serving and version != wanted:
            return f"it answers with {version or 'no version'}, not {wanted}"
        return "" if serving else f"it does not serve yet: {reason}"

    async def _ask_locally(self, context: StepContext) -> tuple[str, bool, str]:
        """Asks the node's own listen prefix from the node itself (``domain.md`` 3.7)."""
        node = context.planned_node
        key = context.world.api_key.get_secret_value()
        answer = await context.node.request(node.instance, "/api", key)
        if answer.status != 200:
            return "", False, f"HTTP {answer.status}" if answer.status else "nobody answers"
        try:
            version = str(json.loads(answer.body)["Version"])
        except (ValueError, KeyError, TypeError):
            return "", False, "/api answers with something that is not Octopus"
        read = await context.node.request(node.instance, "/api/octopusservernodes/summary", key)
        if read.status != 200:
            return version, False, f"an authenticated read answers HTTP {read.status}"
        return version, True, ""


class _StoppedByItself:
    """Tells a service that has ended, so that waiting is in vain, from one that is slow."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._looked = context.clock.time()
        self._stopped_since: float | None = None

    async def look(self) -> None:
        """Raises StepFailed where the service stays stopped: recovery actions had their time."""
        now = self._context.clock.time()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        try:
            services = await self._context.node.services()
        except TransportError:
            return
        if not services.proved_stopped:
            self._stopped_since = None
            return
        self._stopped_since = now if self._stopped_since is None else self._stopped_since
        if now - self._stopped_since >= STAYS_STOPPED:
            raise StepFailed(
                "the service was started and ended by itself",
                node=self._context.step.node,
                left="The node is stopped",
                next_step="Look at the server's log and the event log of the node, then retry",
            )


class Unpark(Step):
    """Start types and watchdog as they were found."""

    kind = "unpark"

    async def apply(self, context: StepContext) -> Result:
        unparked = await context.node.unpark()
        return {
            "services": [service.name for service in unparked.services],
            "watchdog": [task.name for task in unparked.watchdog],
        }
