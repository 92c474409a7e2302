"""The cluster and the profile mean the same nodes, and their hosts serve no other cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from octotui.api import Finding
from octotui.api.facts import ClusterFacts, ClusterNode, Facts, Instance, NodeFacts
from octotui_checks.databases import Database
from octotui_checks.reporting import Reporter, listed

_REPORT = Reporter(
    "cluster-nodes",
    "https://octopus.com/docs/administration/high-availability/maintain/"
    "maintain-high-availability-nodes",
)


class ClusterNodesCheck:
    """A node that nobody stops works on with old binaries on a new schema.

    A node is who its configuration says it is, whatever its host is called (``domain.md`` 6.1).
    """

    name = _REPORT.check
    title = "the cluster and the profile name the same nodes"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        cluster, nodes = facts.cluster, facts.readable_nodes
        if cluster is None:
            return [_REPORT.skipped("the Octopus API does not answer, see versions")]
        if not nodes:
            return [_REPORT.skipped("no node could be read, see nodes-reachable")]
        findings = [
            *_strangers(facts, cluster),
            *_members(nodes, cluster),
            *_wrong_instances(facts, cluster),
            *_other_databases(facts, cluster),
            *_unsettled(nodes),
            *_first_stopped(facts),
        ]
        if findings:
            return findings
        names = listed([node.name for node in cluster.nodes])
        return [_REPORT.passed(f"cluster and profile name the same nodes: {names}")]


def _strangers(facts: Facts, cluster: ClusterFacts) -> Iterator[Finding]:
    """Nodes of the cluster that no node of the profile says it is."""
    claimed = {i.node_name for node in facts.readable_nodes.values() for i in node.instances}
    strangers = [node for node in cluster.nodes if node.name not in claimed]
    alive = [_seen(node) for node in strangers if not node.offline]
    unread = [name for name in facts.nodes if name not in facts.readable_nodes]
    if alive and unread:
        yield _REPORT.skipped(
            f"{listed(alive)} may be {listed(unread)} of the profile, which could not be read"
        )
    elif alive:
        yield _REPORT.failed(
            f"the cluster has live nodes that the profile does not name: {listed(alive)}",
            "Add them to the profile; a node that is no more is deleted in the portal, under "
            "Configuration, Nodes",
        )
    if stale := [_seen(node) for node in strangers if node.offline]:
        yield _REPORT.warns(
            f"the cluster remembers offline nodes that the profile does not name: {listed(stale)}",
            "Make sure that they stay off; delete them in the portal if they are no more",
        )


def _members(nodes: Mapping[str, NodeFacts], cluster: ClusterFacts) -> Iterator[Finding]:
    """Nodes of the profile, as the cluster knows them."""
    known = {node.name: node for node in cluster.nodes}
    holders: dict[str, str] = {}
    for name, node in nodes.items():
        ours = [i for i in node.instances if i.node_name in known]
        if not ours:
            yield _REPORT.failed(_no_member(node), _no_member_fix(node), name)
        for instance in ours:
            member = known[instance.node_name]
            holder = holders.setdefault(member.name, name)
            if holder != name:
                yield _REPORT.failed(
                    f"it says it is {member.name}, and so does {holder}",
                    "Name each host once in the profile, and give each instance its own node name",
                    name,
                )
            elif member.offline:
                yield _REPORT.warns(
                    f"the cluster sees {_seen(member)} as offline",
                    "Start its service if it should run; the upgrade starts what it found running",
                    name,
                )


def _wrong_instances(facts: Facts, cluster: ClusterFacts) -> Iterator[Finding]:
    """Hosts with an instance of the cluster, of which the profile names another one."""
    known = {node.name for node in cluster.nodes}
    for name, node in facts.readable_nodes.items():
        ours = [i.name for i in node.instances if i.node_name in known]
        meant = facts.instances.get(name)
        if meant is not None and ours and meant not in ours:
            yield _REPORT.failed(
                f"instance {meant}, which the profile names, is not the cluster's: {listed(ours)}",
                "Correct the node's instance in the profile",
                name,
            )


def _unsettled(nodes: Mapping[str, NodeFacts]) -> Iterator[Finding]:
    """Services on their way: what an upgrade finds now is not what it would put back."""
    for name, node in nodes.items():
        if moving := [s for s in node.services.services if s.state in ("starting", "stopping")]:
            yield _REPORT.failed(
                f"not settled: {listed([f'service {s.name} is {s.state}' for s in moving])}",
                "Wait until it runs or is stopped, then check again",
                name,
            )


def _first_stopped(facts: Facts) -> Iterator[Finding]:
    """What does not run before cannot be proved to run after: found out behind the database."""
    node = facts.readable_nodes.get(facts.first_node)
    if node is None:
        return
    meant = facts.instances.get(facts.first_node)
    ours = [s for s in node.services.services if meant in (None, s.instance)]
    if not any(s.state in ("running", "starting", "stopping") for s in ours):
        which = f"instance {meant}" if meant else "Octopus Server"
        yield _REPORT.failed(
            f"{which} does not run, and this node upgrades the database and must serve first",
            "Start its service and see that it serves, or name another node in [upgrade] first",
            facts.first_node,
        )


def _no_member(node: NodeFacts) -> str:
    if not node.instances:
        return f"there is no Octopus instance on {node.computer}"
    names = listed([f"{i.node_name} (instance {i.name})" for i in node.instances])
    return f"the cluster does not know {names}"


def _no_member_fix(node: NodeFacts) -> str:
    if not node.instances:
        return "Correct the node's host in the profile"
    return "Correct the node's host in the profile, or [octopus] url: this is another cluster's"


def _other_databases(facts: Facts, cluster: ClusterFacts) -> Iterator[Finding]:
    """Instances of other clusters on our hosts: an MSI replaces the binaries of all on a host."""
    members = {node.name for node in cluster.nodes}
    placed = [
        (name, node, instance, _database_of(instance, node))
        for name, node in facts.readable_nodes.items()
        for instance in node.instances
        if any(other.node_name in members for other in node.instances)
    ]
    if not placed:
        return
    home = _home([database for *_, database in placed], facts)
    for name, node, instance, database in placed:
        if database.surely_is(home):
            continue
        seen = f"instance {instance.name} uses the database {database}, the cluster uses {home}"
        if (
            len(node.instances) == 1
            and instance.node_name in members
            and database.name == home.name
        ):
            yield _REPORT.warns(
                seen,
                "Make sure that both names lead to the same SQL Server",
                name,
            )
        else:
            yield _REPORT.failed(
                f"foreign instance: {seen}; an MSI replaces the binaries of both",
                "Move that instance to a host of its own, or delete it there",
                name,
            )


def _home(databases: list[Database], facts: Facts) -> Database:
    """The cluster's own database: the one that the first node was asked for, else the commonest."""
    if facts.database is not None:
        first = facts.nodes.get(facts.first_node)
        computer = first.computer if isinstance(first, NodeFacts) else ""
        asked = Database.of(facts.database.server, facts.database.database, computer)
        for database in databases:
            if database.surely_is(asked):
                return database
    return Counter(databases).most_common(1)[0][0]


def _database_of(instance: Instance, node: NodeFacts) -> Database:
    return Database.of(instance.database_server, instance.database_name, node.computer)


def _seen(node: ClusterNode) -> str:
    return f"{node.name} (last seen {node.last_seen})" if node.last_seen else node.name
