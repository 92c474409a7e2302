"""Looking whether the way back without a restore is open."""

from __future__ import annotations

import uuid

from octotui.api.errors import OctotuiError
from octotui.api.facts import Job
from octotui.api.node import NodeOperations
from octotui.run.ledger import Ledger
from octotui.run.logs import NodeLogs
from octotui.run.patience import patience_of, patiently
from octotui.upgrade.interlocks import schema_changed
from octotui.upgrade.machine import Marks
from octotui.upgrade.plan import Plan
from octotui.upgrade.steps.base import World
from octotui.upgrade.steps.database import state_from


class WayBack:
    """Sets the machine's marks by what is true now, not by what is remembered."""

    def __init__(self, run_id: str, world: World, ledger: Ledger, logs: NodeLogs) -> None:
        self._run_id = run_id
        self._world = world
        self._ledger = ledger
        self._logs = logs

    async def observe(self, marks: Marks) -> None:
        """Marks whether backing out without a restore is possible, and whether all that failed

        are nodes that can be left out.
        """
        plan = self._ledger.plan
        assert plan is not None, "there is no way back before there is a plan"
        touched = any(".install@" in step for step in self._ledger.begun)
        marks.old_package = plan.installed is not None or not touched
        marks.schema_unchanged = await self._schema_unchanged(plan)
        failed = self._ledger.failed_nodes
        marks.can_leave_out = bool(failed) and failed.isdisjoint({None, plan.first_node})

    async def _schema_unchanged(self, plan: Plan) -> bool:
        """Whether the database is proved to be as it was found."""
        if self._ledger.database_upgraded or self._ledger.database_unknown:
            return False
        if not self._ledger.installer_begun:
            return True  # only new binaries upgrade it, and there are none
        try:
            job = await patiently(
                self._world.clock,
                lambda: self._ask(plan),
                lambda reason: self._logs.write(None, f"looking for the way back: {reason}"),
                patience_of(self._ledger),
            )
            if "state" not in job.result:
                # No node has a whole program that could tell, so none could have upgraded it
                # either. Before anything is started the old one, put back, is asked again.
                return True
            return not schema_changed(state_from(job.result), plan.from_version)
        except OctotuiError as error:
            self._logs.write(None, f"the state of the database is unknown: {error}")
            return False

    async def _ask(self, plan: Plan) -> Job:
        """Asks by a node that can tell: an installer may have left one without a program."""
        for name in (plan.first_node, *plan.other_nodes):
            job = await self._ask_by(plan, self._world.nodes[name])
            if "state" in job.result:
                break
        return job

    async def _ask_by(self, plan: Plan, node: NodeOperations) -> Job:
        # An id of its own each time: an old job would tell what was once true.
        job_id = f"{self._run_id}.database-state-way-back.{uuid.uuid4().hex[:8]}"
        instance = plan.node(node.name).instance
        job = await node.start_job(job_id, "database-state", {"instance": instance})
        while job.state == "running":
            job = await node.job(job_id, wait=10.0)
        return job
