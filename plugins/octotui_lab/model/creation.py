"""How a cluster begins: healthy, serving, with a past."""

from __future__ import annotations

from octotui_lab.catalogue import Catalogue
from octotui_lab.faults import FaultSet
from octotui_lab.model.state import Cluster, Database, Durations, Node, NodeRow
from octotui_lab.rules import Rules
from octotui_lab.schedule import Schedule
from octotui_lab.truth import GroundTruth

_DAY = 86_400.0
#: A node's own address until its skin has a real one.
_LISTEN_PREFIX = "http://localhost:8080/"


def new_cluster(
    count: int,
    schedule: Schedule,
    catalogue: Catalogue,
    *,
    root: str,
    version: str,
    maintenance: bool,
    durations: Durations,
) -> Cluster:
    """``count`` nodes with ``version`` installed on one database. Raises ValueError."""
    if count < 1:
        raise ValueError(f"a lab needs at least one node, not {count}")
    installed = catalogue.by_version(version)
    if installed is None:
        raise ValueError(f"the lab has no package of version {version}")
    now = schedule.now
    names = [f"OCTO{number}" for number in range(1, count + 1)]
    return Cluster(
        schedule=schedule,
        catalogue=catalogue,
        faults=FaultSet(count),
        durations=durations,
        nodes={
            name: Node(
                name=name,
                scope=f"node{number}",
                root=f"{root}/{name}",
                version=version,
                product_code=installed.product_code,
                boot_time=now - 12 * _DAY,
                stopped_at=now - 12 * _DAY,
                listen_prefixes=(_LISTEN_PREFIX,),
            )
            for number, name in enumerate(names, start=1)
        },
        database=Database(
            schema_version=version,
            history=[(version, now - 40 * _DAY), ("2025.1.10389", now - 130 * _DAY)],
            rows={name: NodeRow() for name in names},
            maintenance=maintenance,
        ),
        truth=GroundTruth(),
        rules=Rules(),
        initial_version=version,
        initial_maintenance=maintenance,
    )
