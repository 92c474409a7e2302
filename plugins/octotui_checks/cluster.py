"""What must be true of the cluster as a whole: versions, members, licence."""

from __future__ import annotations

import re
from collections.abc import Iterable

from octotui.api import Check, Finding
from octotui.api.facts import ClusterFacts, Facts

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def _numbers(version: str) -> tuple[int, ...] | None:
    match = _VERSION.fullmatch(version.strip())
    return tuple(int(part) for part in match.groups()) if match else None


def _no_cluster(name: str, facts: Facts) -> Finding:
    reason = facts.problems.get("cluster", "the REST API did not answer")
    fix = "Make [octopus] url answer, with an API key whose user has AdministerSystem"
    return Finding(name, "fail", reason, fix=fix)


class Versions(Check):
    """One version everywhere, and a newer one to install."""

    name = "versions"
    title = "the same version on every node, and a newer target"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        if facts.cluster is None:
            yield _no_cluster(self.name, facts)
            return
        current = facts.cluster.version
        different = {
            name: node.version
            for name, node in facts.readable_nodes.items()
            if node.version != current
        }
        for name, version in different.items():
            text = f"{version or 'nothing'} is installed, the cluster serves {current}"
            fix = "Bring every node to one version first"
            yield Finding(self.name, "fail", text, name, fix)
        yield self._target(facts, current)

    def _target(self, facts: Facts, current: str) -> Finding:
        link = "https://octopus.com/downloads/compare"
        if facts.target is None:
            reason = facts.problems.get("target", "there is no target")
            return Finding(self.name, "fail", reason, fix="Correct [upgrade] to, or --to")
        wanted, installed = _numbers(facts.target.version), _numbers(current)
        if wanted is None or installed is None or wanted <= installed:
            text = f"{facts.target.version} is not newer than {current}"
            return Finding(self.name, "fail", text, fix="Choose a newer version", link=link)
        text = f"{current} everywhere that could be read, {facts.target.version} is newer"
        return Finding(self.name, "pass", text, link=f"{link}?from={current}")


class ClusterNodes(Check):
    """Profile and cluster know the same nodes: one that is missed would run beside the upgrade."""

    name = "cluster-nodes"
    title = "the cluster and the profile name the same nodes"
    mandatory = True
    link = "https://octopus.com/docs/administration/high-availability"

    def run(self, facts: Facts) -> Iterable[Finding]:
        if facts.cluster is None:
            yield _no_cluster(self.name, facts)
            return
        # By configuration, never by host name: a node's name is settable (domain.md 6.1).
        ours = {
            instance.node_name: name
            for name, node in facts.readable_nodes.items()
            for instance in node.instances
        }
        problems = [
            *self._unknown(facts.cluster, ours),
            *self._missing(facts, facts.cluster),
            *self._foreign(facts),
        ]
        yield from problems
        if not any(finding.result == "fail" for finding in problems):
            names = ", ".join(node.name for node in facts.cluster.nodes)
            yield Finding(self.name, "pass", f"the cluster is {names}")

    def _unknown(self, cluster: ClusterFacts, ours: dict[str, str]) -> Iterable[Finding]:
        for node in cluster.nodes:
            if node.name in ours:
                continue
            seen = f", last seen {node.last_seen}" if node.last_seen else ""
            if node.offline:
                text = f"{node.name} is in the cluster, offline{seen}, and not in the profile"
                fix = "Delete it in Configuration > Nodes if it is gone for good"
                yield Finding(self.name, "warn", text, fix=fix, link=self.link)
            else:
                text = f"{node.name} is a live node of the cluster and not in the profile"
                fix = "Add it to the profile: an upgrade beside a running node destroys data"
                yield Finding(self.name, "fail", text, fix=fix, link=self.link)

    def _missing(self, facts: Facts, cluster: ClusterFacts) -> Iterable[Finding]:
        members = {node.name for node in cluster.nodes}
        for name, node in facts.readable_nodes.items():
            known = [instance.node_name for instance in node.instances]
            if not members.intersection(known):
                text = f"its instances are {', '.join(known) or 'none'}: none is in the cluster"
                fix = "Correct the node in the profile: it belongs to another cluster"
                yield Finding(self.name, "fail", text, name, fix, self.link)

    def _foreign(self, facts: Facts) -> Iterable[Finding]:
        """An MSI is for the whole host: it would upgrade another cluster's node too."""
        databases = {
            (instance.database_server.lower(), instance.database_name.lower())
            for node in facts.readable_nodes.values()
            for instance in node.instances
            if facts.cluster and instance.node_name in {n.name for n in facts.cluster.nodes}
        }
        for name, node in facts.readable_nodes.items():
            for instance in node.instances:
                database = (instance.database_server.lower(), instance.database_name.lower())
                if database not in databases:
                    text = (
                        f"instance {instance.name} on this host uses another database "
                        f"({instance.database_name} on {instance.database_server})"
                    )
                    fix = "Its host cannot be upgraded alone: an MSI is for all its instances"
                    yield Finding(self.name, "fail", text, name, fix, self.link)


class LicenseCompliant(Check):
    """A licence that does not fit keeps the new version from starting, after the stop."""

    name = "license"
    title = "the licence is compliant"
    mandatory = True
    link = "https://octopus.com/docs/administration/licensing"

    def run(self, facts: Facts) -> Iterable[Finding]:
        if facts.cluster is None:
            yield _no_cluster(self.name, facts)
            return
        status = facts.cluster.license
        details = [status.summary]
        if status.expires:
            details.append(f"valid until {status.expires}")
        if facts.cluster.maintenance_expires:
            details.append(f"maintenance until {facts.cluster.maintenance_expires}")
        text = ", ".join(detail for detail in details if detail) or "no details"
        if status.compliant is None:
            fix = "Look at Configuration > License before you go on"
            yield Finding(self.name, "warn", f"unknown: {text}", fix=fix, link=self.link)
        elif not status.compliant:
            fix = "Renew or correct the licence first: the new version would refuse to start"
            yield Finding(self.name, "fail", text, fix=fix, link=self.link)
        else:
            yield Finding(self.name, "pass", text, link=self.link)
