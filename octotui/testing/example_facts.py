"""Facts of a cluster that is well, for the tests of checks.

facts = example_facts(nodes=3)
facts = with_node(facts, "OCTO2", elevated=False)
facts = replace(facts, database=None)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from octotui.api import Package
from octotui.api.facts import (
    ClusterFacts,
    ClusterNode,
    DatabaseNode,
    DatabaseState,
    Disk,
    Facts,
    InstalledVersion,
    Instance,
    License,
    NodeFacts,
    NodeProblem,
    Process,
    Service,
    Services,
    WatchdogTask,
)

INSTALLED = "2025.2.13071"
TARGET = "2025.4.10428"

_AT = 1_767_225_600.0
_GIB = 1024**3
_SQL_SERVER, _DATABASE = "sql1.example.com", "Octopus"


def example_facts(nodes: int = 2) -> Facts:
    """A cluster of nodes OCTO1, OCTO2, ... without a flaw, and a newer version to install.

    The names that Octopus knows the nodes by are not those of their machines.
    """
    names = [f"OCTO{number}" for number in range(1, nodes + 1)]
    return Facts(
        at=_AT,
        first_node=names[0],
        cluster=example_cluster(names),
        nodes={name: example_node(name) for name in names},
        database=example_database(names),
        target=example_package(TARGET),
        installed=example_package(INSTALLED),
        backup="node",
    )


def with_node(facts: Facts, node: str, **changes: Any) -> Facts:
    """The facts with some of one node's changed, by the names of NodeFacts' fields."""
    known = facts.nodes[node]
    assert isinstance(known, NodeFacts)
    return replace(facts, nodes={**facts.nodes, node: replace(known, **changes)})


def with_cluster(facts: Facts, **changes: Any) -> Facts:
    """The facts with some of the cluster's changed, by the names of ClusterFacts' fields."""
    assert facts.cluster is not None
    return replace(facts, cluster=replace(facts.cluster, **changes))


def with_database(facts: Facts, **changes: Any) -> Facts:
    """The facts with some of the database's changed, by the names of DatabaseState's fields."""
    assert facts.database is not None
    return replace(facts, database=replace(facts.database, **changes))


def without_node(facts: Facts, node: str, kind: str = "Unreachable") -> Facts:
    """The facts with a node that could not be read."""
    problem = NodeProblem(node, "no connection was made", kind)
    return replace(facts, nodes={**facts.nodes, node: problem})


def example_package(version: str) -> Package:
    name = f"Octopus.{version}-x64.msi"
    url = f"https://download.octopusdeploy.com/octopus/{name}"
    return Package(version, name, url, "0" * 64, 1_400_000_000)


def example_cluster(names: list[str]) -> ClusterFacts:
    return ClusterFacts(
        version=INSTALLED,
        installation_id="00000000-0000-4000-8000-000000000000",
        maintenance=False,
        nodes=tuple(
            ClusterNode(
                f"OctopusServerNodes-{name}", name, 5, False, False, "2026-01-01", 0, INSTALLED
            )
            for name in names
        ),
        license=License(True, "Your license is compliant", "2027-06-30"),
        maintenance_expires="2027-06-30",
        covered_version=TARGET,
    )


def example_node(name: str) -> NodeFacts:
    return NodeFacts(
        node=name,
        computer=f"WIN-{name}",
        os="Microsoft Windows Server 2022 Standard",
        powershell="5.1.20348.1",
        identity="EXAMPLE\\octopus-upgrade",
        elevated=True,
        time=_AT,
        boot_time=_AT - 86_400,
        install_directory="C:\\Program Files\\Octopus Deploy\\Octopus",
        version=INSTALLED,
        signer="CN=Octopus Deploy, O=Octopus Deploy",
        product_code="{00000000-0000-4000-8000-000000000000}",
        instances=(example_instance(name),),
        services=Services(
            (
                Service(
                    "OctopusDeploy",
                    "OctopusServer",
                    "running",
                    "automatic",
                    1000,
                    "EXAMPLE\\octopus",
                ),
            ),
            (Process(1000, "run"),),
        ),
        watchdog=(WatchdogTask("Octopus Watchdog OctopusServer", True),),
        disks=(Disk("C:\\", 60 * _GIB, 120 * _GIB, ("install", "home", "staging")),),
        pending_reboot=(),
        installer_busy=False,
        octotui_directory="C:\\ProgramData\\octotui",
    )


def example_instance(node_name: str) -> Instance:
    return Instance(
        name="OctopusServer",
        node_name=node_name,
        home="C:\\Octopus",
        config_file="C:\\Octopus\\OctopusServer.config",
        listen_prefixes=("http://localhost:80/",),
        database_server=_SQL_SERVER,
        database_name=_DATABASE,
    )


def example_database(names: list[str]) -> DatabaseState:
    return DatabaseState(
        reachable=True,
        problem="",
        identity="EXAMPLE\\octopus-upgrade",
        db_owner=True,
        server=_SQL_SERVER,
        database=_DATABASE,
        server_version="16.0.4105.2",
        history=(InstalledVersion(INSTALLED, "2025-10-01T08:00:00"),),
        nodes=tuple(DatabaseNode(name, "2026-01-01T00:00:00") for name in names),
        migrator_running=False,
    )
