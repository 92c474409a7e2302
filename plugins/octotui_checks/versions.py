"""One version everywhere, and a newer one to install."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from octotui.api import Finding
from octotui.api.facts import ClusterFacts, Facts
from octotui_checks.reporting import Reporter, listed, reason
from octotui_checks.version_numbers import numbers

_REPORT = Reporter("versions", "https://octopus.com/docs/administration/upgrading")

_SAME_EVERYWHERE = "Bring every node to the version of the cluster first"


class VersionsCheck:
    """Nodes of two versions on one database corrupt it; older binaries cannot run a newer schema.

    ``domain.md`` 1.4 and 1.8.
    """

    name = _REPORT.check
    title = "every node runs the same version, and the target is newer"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        cluster = facts.cluster
        if cluster is None:
            return [
                _REPORT.failed(
                    f"the cluster's version is unknown: {reason(facts, 'cluster')}",
                    "Make the Octopus API answer at [octopus] url",
                )
            ]
        findings = [*_other_versions(facts, cluster), *_target(facts, cluster)]
        if findings:
            return findings
        target = facts.target.version if facts.target else ""
        return [_REPORT.passed(f"{cluster.version} everywhere, {target} is newer")]


def _other_versions(facts: Facts, cluster: ClusterFacts) -> Iterator[Finding]:
    for name, node in facts.readable_nodes.items():
        if not node.version:
            yield _REPORT.failed(
                "the version of its Octopus.Server.exe cannot be read",
                "Repair the installation of Octopus Server on the node",
                name,
            )
        elif node.version != cluster.version:
            yield _REPORT.failed(
                f"{node.version} is installed, the cluster runs {cluster.version}",
                _SAME_EVERYWHERE,
                name,
            )
    running = [
        f"{node.name} ({node.version})"
        for node in cluster.nodes
        if not node.offline and node.version not in ("", cluster.version)
    ]
    if running:
        yield _REPORT.failed(
            f"the cluster runs {cluster.version}, but not on {listed(running)}", _SAME_EVERYWHERE
        )


def _target(facts: Facts, cluster: ClusterFacts) -> Iterator[Finding]:
    if facts.target is None:
        yield _REPORT.failed(
            f"there is no package to install: {reason(facts, 'target')}",
            "Correct [upgrade] to or --to, or the source",
        )
        return
    now, then = numbers(cluster.version), numbers(facts.target.version)
    if now is None:
        yield _REPORT.failed(
            f"the cluster's version '{cluster.version}' is not year.minor.build",
            "Early-access and branch builds cannot be upgraded this way",
        )
    elif then is None:
        yield _REPORT.failed(
            f"the target '{facts.target.version}' is not year.minor.build",
            "Choose a released version",
        )
    elif then == now:
        yield _REPORT.failed(
            f"{cluster.version} is installed already", "Nothing to do, or choose a newer target"
        )
    elif then < now:
        yield _REPORT.failed(
            f"the target {facts.target.version} is older than {cluster.version}",
            "Octopus Server cannot be downgraded: choose a newer target",
        )
