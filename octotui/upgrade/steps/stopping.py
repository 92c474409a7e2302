"""Stopping: park what restarts services, stop every service, prove it."""

from __future__ import annotations

from dataclasses import asdict

from octotui.api.errors import ServerNotReady
from octotui.upgrade.interlocks import demand, describe, stop_too_early
from octotui.upgrade.steps.base import Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.waits import follow_job, problem_of

#: A stop typically takes seconds and has been seen to take 40 minutes (``safety.md``); the
#: operator may retry, which waits again.
STOP_LIMIT = 900


class Park(Step):
    """Start types disabled, watchdog disabled: nothing can start the services behind our back."""

    kind = "park"

    async def apply(self, context: StepContext) -> Result:
        return asdict(await context.node.park())


class ReadyToStop(Step):
    """R7, observed through REST right before the first stop takes REST away."""

    kind = "ready-to-stop"

    async def apply(self, context: StepContext) -> Result:
        try:
            reasons = await self._reasons(context)
        except ServerNotReady:
            if not any(step.startswith("stopping.stop@") for step in context.begun):
                raise
            # The API went with the first node: what is half stopped is stopped.
            return {}
        demand("stop the cluster", reasons)
        return {}

    async def _reasons(self, context: StepContext) -> list[str]:
        server = context.world.server
        reasons = stop_too_early(await server.maintenance(), await server.running_tasks())
        planned = {node.node_id for node in context.plan.nodes}
        for node in await server.nodes():
            if node.id in planned and not node.draining:
                reasons.append(f"{node.name} is not drained any more")
        return reasons


class Stop(Step):
    """Stops every instance's service on the node and proves that no process is left."""

    kind = "stop"

    async def probe(self, context: StepContext) -> Probe:
        services = await context.node.services()
        return Probe(services.proved_stopped, describe(services))

    async def apply(self, context: StepContext) -> Result:
        context.report.log(context.step.node, "stopping every Octopus service\n")
        await stop(context, "stop")
        return {"stopped_at": context.clock.time()}


async def stop(context: StepContext, job_name: str) -> None:
    """Stops every Octopus service on the step's node and proves it. Raises StepFailed."""
    job = await follow_job(
        context, context.node, context.job_id(job_name), "stop", {"timeout": STOP_LIMIT}
    )
    # Looked at anew: the job may be one that ended before this attempt took it up.
    services = await context.node.services()
    if not services.proved_stopped:
        raise StepFailed(
            f"the node did not stop: {describe(services)}",
            node=context.step.node,
            meaning=problem_of(job) or "The program said that it had stopped, and it has not",
            left="Its services are parked: nothing but a person or octotui starts them",
            next_step="End the process on the node if need be, then retry",
        )
