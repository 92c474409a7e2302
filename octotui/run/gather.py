"""Reading everything about a cluster in one pass. Changes nothing but octotui's own folders."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from octotui.api.errors import OctotuiError, TransportError
from octotui.api.facts import ClusterFacts, DatabaseState, Facts, NodeFacts, NodeProblem
from octotui.api.node import NodeOperations
from octotui.api.source import Package
from octotui.upgrade.steps.base import World
from octotui.upgrade.steps.database import state_from
from octotui.upgrade.versions import choose

#: A database that does not answer within this many seconds is as good as unreachable.
DATABASE_PATIENCE = 120.0

#: The first call of a node sends it the agent: over a thin line, all at once starve each other.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the profile and the command line ask for."""

    to: str
    first_node: str
    instances: Mapping[str, str]
    backup_kind: str


async def gather(world: World, wanted: Wanted, run_id: str) -> Facts:
    """All facts. What cannot be had stands in them with its reason; nothing is raised for it."""
    problems: dict[str, str] = {}

    async def cluster() -> ClusterFacts | None:
        try:
            return await world.server.facts()
        except OctotuiError as error:
            problems["cluster"] = str(error)
            return None

    few = asyncio.Semaphore(AT_ONCE)

    async def node(operations: NodeOperations) -> NodeFacts | NodeProblem:
        try:
            async with few:
                return await operations.facts()
        except OctotuiError as error:
            kind = type(error).__name__ if isinstance(error, TransportError) else "NodeError"
            # Node and advice stand beside it: said in it as well, they would be told twice.
            said = OctotuiError(error.what, meaning=error.meaning, left=error.left)
            return NodeProblem(operations.name, str(said), kind, error.next_step)

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(cluster())
        reads = [group.create_task(node(operations)) for operations in world.nodes.values()]
    cluster_facts = asked.result()
    node_facts = [read.result() for read in reads]
    nodes = dict(zip(world.nodes, node_facts, strict=True))
    database = await _database(world, wanted, nodes, problems, run_id)
    target, installed = await _packages(world, wanted, cluster_facts, problems)
    return Facts(
        at=world.clock.time(),
        first_node=wanted.first_node,
        cluster=cluster_facts,
        nodes=nodes,
        database=database,
        target=target,
        installed=installed,
        backup=wanted.backup_kind,
        problems=problems,
        instances=wanted.instances,
    )


async def _database(
    world: World,
    wanted: Wanted,
    nodes: Mapping[str, NodeFacts | NodeProblem],
    problems: dict[str, str],
    run_id: str,
) -> DatabaseState | None:
    """The database as seen from the first node by the identity of ``[jobs]``."""
    first = world.nodes[wanted.first_node]
    read = nodes[wanted.first_node]
    if isinstance(read, NodeProblem):
        problems["database"] = f"{first.name} could not be read: {read.problem}"
        return None
    job_id = f"{run_id}.database-state-facts.{uuid.uuid4().hex[:6]}"
    try:
        job = await first.start_job(
            job_id, "database-state", {"instance": wanted.instances[wanted.first_node]}
        )
        begun = world.clock.time()
        while job.state == "running":
            if world.clock.time() - begun > DATABASE_PATIENCE:
                problems["database"] = f"no answer within {DATABASE_PATIENCE:.0f} s"
                return None
            job = await first.job(job_id, wait=10.0)
        return state_from(job.result)
    except OctotuiError as error:
        problems["database"] = str(error)
        return None


async def _packages(
    world: World, wanted: Wanted, cluster: ClusterFacts | None, problems: dict[str, str]
) -> tuple[Package | None, Package | None]:
    """The package to install, and that of the version installed now."""
    if cluster is None:
        problems["target"] = "without the cluster's version there is no target"
        return None, None
    target = installed = None
    try:
        offered = [release.version for release in await world.source.releases()]
        version = choose(wanted.to, cluster.version, offered)
        target = await world.source.locate(version)
    except OctotuiError as error:
        problems["target"] = str(error)
    except ValueError as error:
        problems["target"] = f"the cluster's version is not one that can be upgraded: {error}"
    try:
        installed = await world.source.locate(cluster.version)
    except OctotuiError as error:
        problems["installed"] = str(error)
    return target, installed
