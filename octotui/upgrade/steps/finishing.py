"""The last look: is everything as it was found, but for the version?"""

from __future__ import annotations

from octotui.api.facts import NodeFacts
from octotui.upgrade.steps.base import LOG_BYTES, Probe, Result, Step, StepContext, StepFailed


class CheckAsFound(Step):
    """Version, services, start types and watchdog of one node against what was found."""

    kind = "check-as-found"

    async def probe(self, context: StepContext) -> Probe:
        return Probe(False, "looking again")

    async def apply(self, context: StepContext) -> Result:
        back = context.step.phase == "rolling_back"
        wanted = context.plan.from_version if back else context.plan.to_version
        facts = await context.node.facts()
        problems = differences(facts, wanted, context)
        if problems:
            raise StepFailed(
                f"the node is not as it was found: {'; '.join(problems)}",
                node=context.step.node,
                next_step="Put it right on the node, then retry",
            )
        return {"version": facts.version}


class KeepInstallerLog(Step):
    """The installer's log of one node, kept beside the journal: evidence, also of a success.

    Here and not right after the installation, where fetching it would be outage. No run fails for
    want of it.
    """

    kind = "keep-installer-log"

    async def apply(self, context: StepContext) -> Result:
        node = context.step.node
        back = context.step.phase == "rolling_back"
        installed = [
            context.result(f"{step}@{node}")
            for step in (
                ("rolling_back.reinstall",) if back else ("joining.install", "installing.install")
            )
        ]
        path = next((str(result["log"]) for result in installed if result.get("log")), "")
        if not path:
            return {"kept": ""}
        try:
            text = await context.node.log(path, limit=LOG_BYTES)
        except Exception as problem:  # whatever it is: the node serves, and that counts
            return {"kept": "", "problem": f"{type(problem).__name__}: {problem}"}
        context.report.keep(context.log_name(path), text)
        return {"kept": context.log_name(path)}


def differences(facts: NodeFacts, version: str, context: StepContext) -> list[str]:
    """What differs from how the node was found when it was parked, in words."""
    problems = []
    if facts.version != version:
        problems.append(f"the version is {facts.version}, not {version}")
    parked = context.result(f"stopping.park@{facts.node}")
    found = {service["name"]: service for service in parked.get("services", ())}
    now_there = {service.name: service for service in facts.services.services}
    for name, before in found.items():
        service = now_there.get(name)
        if service is None:
            problems.append(f"the service {name} is gone")
            continue
        if service.start_type != before["start_type"]:
            problems.append(
                f"the start type of {name} is {service.start_type}, it was {before['start_type']}"
            )
        if before["state"] == "running" and service.state != "running":
            problems.append(f"{name} is {service.state}, it was running")
    now = {task.name: task.enabled for task in facts.watchdog}
    for task in parked.get("watchdog", ()):
        if now.get(task["name"]) != task["enabled"]:
            was = "enabled" if task["enabled"] else "disabled"
            problems.append(f"the watchdog task {task['name']} is not {was} any more")
    return problems
