"""Back-out without restore: the old package back on every node, as long as the schema is the old.

Every step probes first, so that one list serves wherever the upgrade stopped.
"""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api.errors import NodeError
from octotui.api.facts import Job
from octotui.upgrade.interlocks import demand, schema_changed
from octotui.upgrade.steps.base import Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.database import read_state_anywhere
from octotui.upgrade.steps.installing import INSTALLED, MEANINGS, install, verify_package
from octotui.upgrade.steps.staging import fetch_again
from octotui.upgrade.steps.stopping import stop
from octotui.upgrade.steps.waits import follow_job


class ProveSchemaUnchanged(Step):
    """The one condition of backing out without a restore."""

    kind = "prove-schema-unchanged"

    async def apply(self, context: StepContext) -> Result:
        if not context.installer_begun:  # only new binaries upgrade it, and there are none
            return {"schema_version": context.plan.from_version}
        reasons = _history_closes_the_way(context.notes.get(context.database_step, ""))
        if any(p.verb == "database" for p in (await context.first.services()).processes):
            reasons.append("a database upgrade is running")
        demand("roll back without a restore", reasons)
        try:
            state = await read_state_anywhere(context)
        except StepFailed as error:
            if not error.outcome_known:
                raise
            # No node has a whole program that could tell, so none could have upgraded it either.
            # Before a node is started, the old program, put back, is asked.
            return {"schema_version": ""}
        reasons = schema_changed(state, context.plan.from_version)
        demand("roll back without a restore", reasons)
        return {"schema_version": state.schema_version}


def _history_closes_the_way(note: str) -> list[str]:
    """What this run itself did to the database, whatever the database says of it."""
    if note == "ended-well":
        return ["the database upgrade ended well: only a restore of the backup leads back"]
    if note == "begun":
        return ["a database upgrade was begun, and nobody knows how it ended"]
    return []


class Reinstall(Step):
    """Takes the new package off a node and puts the old one back, where that is needed."""

    kind = "reinstall"

    async def probe(self, context: StepContext) -> Probe:
        if _install_was_begun(context):
            return Probe(False, "an installer was begun here")
        facts = await context.node.facts()
        if facts.version == context.plan.from_version:
            return Probe(True, f"{facts.version} was never replaced")
        return Probe(False, f"the installed version is {facts.version or 'unreadable'}")

    async def apply(self, context: StepContext) -> Result:
        node = context.node
        services = await node.services()
        if not services.proved_stopped:
            await self._stop(context)
        # Before the new package goes: without the old one the node would be left with none.
        if context.attempt > 1:
            await fetch_again(context, "installed")
        await verify_package(context, node, "installed")
        if product_code := await self._to_uninstall(context):
            await self._uninstall(context, product_code)
        return await install(context, node, "installed", context.plan.from_version)

    async def _to_uninstall(self, context: StepContext) -> str:
        """The product code of what is installed, where it has to go; else empty."""
        try:
            facts = await context.node.facts()
        except NodeError as error:
            if error.code == "not-installed":
                return ""
            # A half-installed server cannot tell its configuration; the installer's jobs know.
            if await self._jobs(context, "msi-installed", [context.step.id]):
                return ""  # the old package is there in part: it is installed over itself
            product_code = ""
            for job in await self._jobs(context, "msi-target", _installs_begun(context)):
                product_code = str(job.result.get("product_code") or product_code)
            if not product_code:
                raise
            return product_code
        return "" if facts.version == context.plan.from_version else facts.product_code

    async def _jobs(self, context: StepContext, name: str, steps: Iterable[str]) -> list[Job]:
        """The jobs of that name that the attempts of these steps ever started on the node."""
        jobs: list[Job] = []
        for step in steps:
            for attempt in range(1, context.attempts[step] + 1):
                part = 0
                while True:
                    job = await context.node.job(context.job_id_of(name, attempt, part))
                    if job.state == "absent":
                        break
                    jobs.append(job)
                    part += 1
        return jobs

    async def _stop(self, context: StepContext) -> None:
        await context.node.park()
        await stop(context, "stop-again")

    async def _uninstall(self, context: StepContext, product_code: str) -> None:
        job = await follow_job(
            context,
            context.node,
            context.job_id("msi-uninstall"),
            "msi-uninstall",
            {"product_code": product_code},
        )
        not_there = 1605
        if job.exit_code not in (*INSTALLED, not_there):
            code = job.exit_code if job.exit_code is not None else -1
            raise StepFailed(
                f"the new package did not come off: exit code {code}: "
                f"{MEANINGS.get(code, 'an unknown failure')}",
                node=context.step.node,
                left="The node is stopped and parked",
                next_step="Find the cause in the installer's log on the node, then retry",
                log_path=str(job.result.get("log") or ""),
            )


def _installs_begun(context: StepContext) -> list[str]:
    return [step for step in context.begun if step.endswith(f".install@{context.step.node}")]


def _install_was_begun(context: StepContext) -> bool:
    """Whether an installer may have touched the node."""
    return bool(_installs_begun(context))
