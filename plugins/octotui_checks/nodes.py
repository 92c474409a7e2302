"""What each node must have before anything is changed: rights and room."""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api import Check, Finding
from octotui.api.facts import Facts, NodeFacts

_GIB = 1 << 30

#: Free bytes wanted on the drive of each purpose. The vendor asks for no figure; an installed
#: server is about 2 GiB, and during the MSI old and new lie side by side; staging holds two
#: packages of some 300 MB and the installer's log.
WANTED = {"install": 5 * _GIB, "home": 2 * _GIB, "staging": 2 * _GIB}


class NodesReachable(Check):
    """Every node answers and gives us the rights that an upgrade needs."""

    name = "nodes-reachable"
    title = "every node answers, with an administrator's rights"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        for name, node in facts.nodes.items():
            if not isinstance(node, NodeFacts):
                fix = "Make it reachable from here, or correct it in the profile"
                yield Finding(self.name, "fail", node.problem, name, fix)
            elif not node.elevated:
                text = f"{node.identity} has no administrator's rights there"
                fix = "Use an account of the local Administrators group"
                yield Finding(self.name, "fail", text, name, fix)
            else:
                text = f"{node.computer} answers, {node.identity} is an administrator"
                yield Finding(self.name, "pass", text, name)


class DiskSpace(Check):
    """There is room for the package, the new version beside the old one, and the logs."""

    name = "disk-space"
    title = "enough free space on every drive that is written to"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        for name, node in facts.readable_nodes.items():
            yield self._judge(name, node)
        if not facts.readable_nodes:
            yield Finding(self.name, "skip", "no node could be read")

    def _judge(self, name: str, node: NodeFacts) -> Finding:
        lacking: list[str] = []
        seen: list[str] = []
        for disk in node.disks:
            wanted = sum(WANTED.get(purpose, 0) for purpose in disk.purposes)
            text = f"{disk.name} has {_size(disk.free)} free, {_size(wanted)} wanted"
            (lacking if disk.free < wanted else seen).append(text)
        if lacking:
            fix = "Free space there: an installer that runs out of it leaves half a server"
            return Finding(self.name, "fail", "; ".join(lacking), name, fix)
        if not seen:
            return Finding(self.name, "fail", "the node names no drive", name, "Look at the node")
        return Finding(self.name, "pass", "; ".join(seen), name)


def _size(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
