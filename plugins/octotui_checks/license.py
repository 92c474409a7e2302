"""The licence allows this cluster, as far as the server knows."""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api import Finding
from octotui.api.facts import ClusterFacts, Facts
from octotui_checks.reporting import Reporter
from octotui_checks.version_numbers import numbers

_REPORT = Reporter("license", "https://octopus.com/docs/administration/upgrading")


class LicenseCheck:
    """The database upgrade refuses a licence that will not be compliant (``domain.md`` 4).

    By then every node is stopped, so it had better be known before.
    """

    name = _REPORT.check
    title = "the licence is compliant"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        cluster = facts.cluster
        if cluster is None:
            return [_REPORT.skipped("the Octopus API does not answer, see versions")]
        evidence = _evidence(cluster)
        if cluster.license.compliant is None:
            return [
                _REPORT.warns(
                    f"the server would not say whether its licence is compliant: {evidence}",
                    "Look at Configuration, License in the portal",
                )
            ]
        if not cluster.license.compliant:
            return [
                _REPORT.failed(
                    f"the licence is not compliant: {evidence}",
                    "Install a licence that allows this cluster, then check again",
                )
            ]
        if _beyond_cover(cluster, facts):
            return [
                _REPORT.warns(
                    f"the target may need a renewed licence: {evidence}",
                    "Compare the licence's maintenance date with the target's release date",
                )
            ]
        return [_REPORT.passed(f"the licence is compliant: {evidence}")]


def _evidence(cluster: ClusterFacts) -> str:
    told = (
        ("", cluster.license.summary.rstrip(". ")),
        ("expires ", cluster.license.expires),
        ("maintenance until ", cluster.maintenance_expires),
        ("covers versions up to ", cluster.covered_version),
    )
    return "; ".join(label + value for label, value in told if value) or "no details were given"


def _beyond_cover(cluster: ClusterFacts, facts: Facts) -> bool:
    """Whether the target's minor is newer than what the server's own update check saw covered.

    That answer may be stale (``domain.md`` 3.5): a reason to look, none to refuse. Later patches of
    a covered minor are free.
    """
    covered = numbers(cluster.covered_version)
    target = numbers(facts.target.version) if facts.target else None
    return covered is not None and target is not None and target[:2] > covered[:2]
