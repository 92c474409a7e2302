"""Looking at a cluster: facts, findings, and the plan where nothing refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from octotui.api.checks import Check
from octotui.api.facts import Facts, NodeProblem
from octotui.run.findings import Judged, run_checks
from octotui.run.gather import Wanted, gather
from octotui.run.measuring import past_measures
from octotui.upgrade.plan import Options, Plan, SmokeTest
from octotui.upgrade.planner import make_plan
from octotui.upgrade.steps.base import World


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a run is to be carried out: profile and command line together, without secrets.

    ``approved``: ``--yes``. ``attended``: a person is there to be asked, so that the run waits for
    one without limit; else it ends with exit code 4 where it needs one. ``instances`` and ``urls``
    are by node name, in the profile's order. ``unprotected``: sentences that every viewer shows.
    """

    profile: str
    cluster_url: str
    to: str
    first_node: str
    instances: Mapping[str, str]
    urls: Mapping[str, str]
    options: Options
    smoke: tuple[SmokeTest, ...]
    backup_kind: str
    approved: bool
    attended: bool
    backs_out: bool
    hold: tuple[str, ...]
    waived: tuple[str, ...]
    unprotected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look came to. ``plan`` None: a check refuses, or there is nothing to plan."""

    facts: Facts
    findings: list[Judged]
    plan: Plan | None

    @property
    def identity(self) -> object:
        """What the plan rests on: if it changes, the plan is made and approved again."""
        nodes = {
            name: (node.version, node.product_code, node.install_directory, node.instances)
            for name, node in self.facts.readable_nodes.items()
        }
        cluster = self.facts.cluster
        found = (cluster.version, cluster.maintenance) if cluster else None
        return (found, self.facts.target, nodes)


async def look(
    world: World, settings: RunSettings, checks: Iterable[tuple[Check, str]], run_id: str
) -> Seen:
    """Reads everything and judges it. Changes nothing, raises nothing that a check can say.

    The plan's durations rest on past runs of the cluster but for ``run_id``.
    """
    wanted = Wanted(settings.to, settings.first_node, settings.instances, settings.backup_kind)
    facts = await gather(world, wanted, run_id)
    findings = run_checks(facts, checks, settings.waived)
    if any(judged.refuses for judged in findings) or not _plannable(facts, settings.instances):
        return Seen(facts, findings, None)
    assert facts.cluster is not None, "what can be planned has a cluster"
    measures = await asyncio.to_thread(past_measures, facts.cluster.installation_id, run_id)
    plan = make_plan(
        facts,
        cluster_url=settings.cluster_url,
        instances=settings.instances,
        urls=settings.urls,
        options=settings.options,
        smoke=settings.smoke,
        measures=measures,
    )
    return Seen(facts, findings, plan)


def _plannable(facts: Facts, instances: Mapping[str, str]) -> bool:
    """Whether a plan can be made at all; where not, a mandatory check has said so in words."""
    if facts.cluster is None or facts.target is None:
        return False
    members: Collection[str] = {node.name for node in facts.cluster.nodes}
    for name, node in facts.nodes.items():
        if isinstance(node, NodeProblem):
            return False
        instance = next((i for i in node.instances if i.name == instances[name]), None)
        if instance is None or instance.node_name not in members:
            return False
    return True
