"""Steps that speak to the cluster's REST API: maintenance mode, drain, smoke tests."""

from __future__ import annotations

from octotui.api.facts import Task
from octotui.upgrade.steps.base import Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.waits import pause


class MaintenanceOn(Step):
    kind = "maintenance-on"

    async def probe(self, context: StepContext) -> Probe:
        on = await context.world.server.maintenance()
        return Probe(on, f"maintenance mode is {'on' if on else 'off'}")

    async def apply(self, context: StepContext) -> Result:
        await _set_maintenance(context, True)
        return {}


class MaintenanceAsFound(Step):
    """Maintenance mode as it was before the run."""

    kind = "maintenance-as-found"

    async def probe(self, context: StepContext) -> Probe:
        on = await context.world.server.maintenance()
        return Probe(on == context.plan.maintenance, f"maintenance mode is {'on' if on else 'off'}")

    async def apply(self, context: StepContext) -> Result:
        await _set_maintenance(context, context.plan.maintenance)
        return {"maintenance": context.plan.maintenance}


async def _set_maintenance(context: StepContext, on: bool) -> None:
    server = context.world.server
    await server.set_maintenance(on)
    if await server.maintenance() != on:
        wanted, other = ("on", "off") if on else ("off", "on")
        raise StepFailed(
            f"maintenance mode was set {wanted} but is {other}",
            meaning="Somebody else, or a script, changes it at the same time",
            next_step="Find out who, then retry",
        )


class DrainOn(Step):
    kind = "drain-on"

    async def apply(self, context: StepContext) -> Result:
        await context.world.server.set_draining(context.planned_node.node_id, True)
        return {}


class DrainAsFound(Step):
    """The node's drain flag as it was before the run."""

    kind = "drain-as-found"

    async def apply(self, context: StepContext) -> Result:
        node = context.planned_node
        await context.world.server.set_draining(node.node_id, node.draining)
        for seen in await context.world.server.nodes():
            if seen.id == node.node_id and seen.draining != node.draining:
                raise StepFailed(
                    f"the drain flag of {node.name} did not go back to {node.draining}",
                    node=node.name,
                    next_step="Look at Configuration > Nodes in Octopus, then retry",
                )
        return {}


class WaitForTasks(Step):
    """Waits until no task runs on any node, by the profile's policy and deadline."""

    kind = "wait-for-tasks"
    interruptible = True

    async def apply(self, context: StepContext) -> Result:
        options = context.plan.options
        begun = context.clock.time()
        cancelled: set[str] = set()
        while tasks := await context.world.server.running_tasks():
            elapsed = context.clock.time() - begun
            context.report.waiting(_describe(tasks))
            context.report.progress("running tasks", len(tasks), None)
            if options.drain_policy == "cancel":
                for task in tasks:
                    known = not task.id.startswith("hidden-")  # of another space: counted only
                    if known and task.id not in cancelled and task.state != "Cancelling":
                        context.report.log(None, f"cancelling {task.id} {task.description}\n")
                        await context.world.server.cancel_task(task.id)
                        cancelled.add(task.id)
            if options.drain_policy == "ask" or elapsed > options.drain_deadline:
                raise StepFailed(
                    f"tasks are still running after {elapsed:.0f} s: {_describe(tasks)}",
                    meaning=_hopeless(tasks),
                    left="All nodes are drained and still serve; nothing was stopped",
                    next_step="Finish or cancel the tasks in Octopus and retry, or roll back",
                )
            await context.clock.sleep(pause(elapsed))
        context.report.waiting("")
        return {"cancelled": sorted(cancelled)}


def _describe(tasks: tuple[Task, ...]) -> str:
    oldest = min(tasks, key=lambda task: task.started or "~")
    count = f"{len(tasks)} task{'s' if len(tasks) > 1 else ''} running"
    return f"{count}, oldest: {oldest.description} ({oldest.id}, {oldest.state})"


def _hopeless(tasks: tuple[Task, ...]) -> str:
    """A wait for these never ends by itself (``domain.md`` 3.4)."""
    people = [task.id for task in tasks if task.waits_for_person]
    if people:
        return f"{', '.join(people)} waits for a person's answer and will not end by itself"
    stuck = [task.id for task in tasks if task.state == "Cancelling"]
    if stuck:
        return f"{', '.join(stuck)} is being cancelled; that is known to hang"
    return ""


class Smoke(Step):
    """The profile's own tests of what users open."""

    kind = "smoke"

    async def apply(self, context: StepContext) -> Result:
        problems = []
        for test in context.plan.smoke:
            problem = await context.world.server.smoke(test.url, test.expect, 60.0)
            if problem:
                problems.append(f"{test.url}: {problem}")
        if problems:
            raise StepFailed(
                f"the smoke test failed: {'; '.join(problems)}",
                left="The new version runs",
                next_step="Look at that page, then retry",
            )
        return {"passed": [test.url for test in context.plan.smoke]}
