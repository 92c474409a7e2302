"""Room on the drives that an upgrade writes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from octotui.api import Finding, Package
from octotui.api.facts import Disk, Facts, NodeFacts
from octotui_checks.reporting import Reporter, listed

_REPORT = Reporter("disk-space", "https://octopus.com/docs/installation/requirements")

_GIB = 1024**3

#: Windows Installer keeps what it replaces until it is done, so old and new files lie side by side,
#: beside its cached copy of the package: an MSI of 1.43 GB (2026.2, octopus.com/downloads) unpacks
#: to about twice that.
INSTALL = 5 * _GIB

#: Logs, the task queue's files and caches that the server writes while it migrates and starts.
HOME = 2 * _GIB

#: For a package of unknown size: more than that of 2026.2.
UNKNOWN_PACKAGE = 2 * _GIB

_PURPOSES = {"install": "the installation", "home": "the home directory", "staging": "packages"}


class DiskSpaceCheck:
    """Windows Installer on a full drive ends with 1603 in the middle of the outage."""

    name = _REPORT.check
    title = "the drives have room for packages, installation and logs"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        needs = {"install": INSTALL, "home": HOME, "staging": staging(facts)}
        nodes = facts.readable_nodes
        if not nodes:
            return [_REPORT.skipped("no node could be read, see nodes-reachable")]
        return [finding for name in nodes for finding in _judge(name, nodes[name], needs)]


def staging(facts: Facts) -> int:
    """Bytes for packages on a node: the target's and, for backing out, the installed version's,
    each twice, because a download that is repeated lies beside the file it replaces.
    """
    return 2 * sum(_size(package) for package in (facts.target, facts.installed))


def _size(package: Package | None) -> int:
    return UNKNOWN_PACKAGE if package is None or package.size is None else package.size


def _judge(name: str, node: NodeFacts, needs: Mapping[str, int]) -> Iterator[Finding]:
    enough = []
    for disk in node.disks:
        need = sum(needs.get(purpose, 0) for purpose in set(disk.purposes))
        seen = f"{disk.name} has {_gib(disk.free)} free, {_gib(need)} needed for {_for(disk)}"
        if disk.free < need:
            yield _REPORT.failed(
                seen, f"Free {_gib(need - disk.free)} or more on {disk.name}", name
            )
        elif need:
            enough.append(seen)
    unseen = [
        words
        for purpose, words in _PURPOSES.items()
        if not any(purpose in disk.purposes for disk in node.disks)
    ]
    if unseen:
        yield _REPORT.warns(
            f"the node does not tell which drive holds {listed(unseen)}",
            "See for yourself whether it has room",
            name,
        )
    elif enough:
        yield _REPORT.passed("; ".join(enough), name)


def _for(disk: Disk) -> str:
    return listed([words for purpose, words in _PURPOSES.items() if purpose in disk.purposes])


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
