"""The package of the version that is installed now: without it nobody leads back."""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api import Finding
from octotui.api.facts import Facts
from octotui_checks.reporting import Reporter, reason

_REPORT = Reporter("way-back", "https://octopus.com/docs/administration/upgrading")


class WayBackCheck:
    """Putting the old version back needs its package, proved on every node, before it is replaced.

    Who can do without, such as with snapshots of the hosts, waives this by name.
    """

    name = _REPORT.check
    title = "the installed version can be put back"
    mandatory = False

    def run(self, facts: Facts) -> Iterable[Finding]:
        if facts.cluster is None:
            return [_REPORT.skipped("the Octopus API does not answer, see versions")]
        version = facts.cluster.version or "the installed version"
        if facts.installed is None:
            return [
                _REPORT.failed(
                    f"the package of {version} cannot be had: {reason(facts, 'installed')}; once "
                    "the new one is installed there is no way back without it",
                    "Put it into the source, or do without a way back: --waive way-back",
                )
            ]
        return [_REPORT.passed(f"the package of {version} can be had")]
