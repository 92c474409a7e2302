"""Every node answers, and lets octotui do what an upgrade needs."""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api import Finding
from octotui.api.facts import Facts, NodeFacts, NodeProblem
from octotui_checks.reporting import Reporter

_REPORT = Reporter("nodes-reachable", "https://octopus.com/docs/administration/upgrading")

_FIXES = {
    "Unreachable": "Check the node's host and port in the profile, its firewall, and that it runs",
    "CredentialsRefused": "Check the transport's account and password",
    "NotTrusted": "Give the transport the authority that signed the node's certificate",
    "TimedOut": "See whether the node is overloaded or hangs, then check again",
    "ConnectionLost": "See what broke the connection to the node, then check again",
}
_OTHER_FIX = "Put that right on the node, then check again"


class NodesReachableCheck:
    """Nothing may begin while one node is out of reach: it could not be stopped or proved so."""

    name = _REPORT.check
    title = "every node is reachable with enough rights"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        if not facts.nodes:
            return [_REPORT.failed("the profile names no node", "Add a [[nodes]] entry for each")]
        return [_judge(name, node) for name, node in facts.nodes.items()]


def _judge(name: str, node: NodeFacts | NodeProblem) -> Finding:
    if isinstance(node, NodeProblem):
        fix = node.advice or _FIXES.get(node.kind, _OTHER_FIX)
        return _REPORT.failed(node.problem or "the node could not be read", fix, name)
    if not node.elevated:
        return _REPORT.failed(
            f"{node.identity} is logged on without an administrator's rights",
            "Use an account in the node's Administrators group; a local one other than the "
            "built-in Administrator needs LocalAccountTokenFilterPolicy",
            name,
        )
    return _REPORT.passed(f"{node.computer} answers, {node.identity} is elevated", name)
