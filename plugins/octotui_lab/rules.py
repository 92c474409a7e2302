"""The safety rules R1-R8 as the lab judges them: from what really happened, not from what was said.

R1  no database upgrade while any node runs: judged when one is asked for, even where the program
    itself then refuses, and whenever a service starts while one is under way.
R2  at most one successful ``database --upgrade``, one without work included, until the whole
    cluster serves outside of maintenance mode again. A restored database begins anew.
R3  no service start with binaries of another version than the schema, whoever starts it, and no
    package installed that is older than it.
R4  no node begins to serve while one of another version serves.
R5  no MSI is installed whose file was not proved, with a valid signature, on that very node.
R6  no database upgrade without a backup that was verified and begun after the last node's process
    was gone.
R7  no service stop outside of maintenance mode, none of a serving node that is not drained, none
    while tasks run there, unless they were cancelled or a person waived them.
R8  maintenance mode is at the end as it was at the beginning. Only who asks knows that it is the
    end: ``World.truth(final=True)``.

A missing or wrong argument of msiexec, an installation over a service that is not stopped, and a
run of the server's program while an installer replaces it are noted as the rule ``MSI``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from octotui_lab.catalogue import version_key

if TYPE_CHECKING:
    from octotui_lab.model.msi_arguments import MsiArguments
    from octotui_lab.model.state import Cluster, Node


class Rules:
    """Judges the cluster's changes and notes what breaks a rule in its ground truth."""

    def service_starts(self, cluster: Cluster, node: Node, by: str) -> None:
        database = cluster.database
        if database.upgrading_on:
            self._violate(
                cluster,
                "R1",
                f"{node.name} was started ({by}) during the upgrade on {database.upgrading_on}",
            )
        if node.version != database.schema_version:
            self._violate(
                cluster,
                "R3",
                f"{node.name} was started ({by}) with binaries {node.version or 'missing'} "
                f"on schema {database.schema_version}",
            )

    def serves(self, cluster: Cluster, node: Node) -> None:
        for other in cluster.nodes.values():
            if other.service.serving and other.service.version != node.service.version:
                self._violate(
                    cluster,
                    "R4",
                    f"{node.name} serves {node.service.version} "
                    f"while {other.name} serves {other.service.version}",
                )
        if not cluster.database.maintenance:
            self.maintenance_changed(cluster)

    def maintenance_changed(self, cluster: Cluster) -> None:
        """A new upgrade may begin once everybody serves and users may work again (R2)."""
        database = cluster.database
        if not database.maintenance and all(n.service.serving for n in cluster.nodes.values()):
            database.upgrades_in_window = 0

    def service_stops(self, cluster: Cluster, node: Node, by: str) -> None:
        if not cluster.database.maintenance:
            self._violate(
                cluster, "R7", f"{node.name} was stopped ({by}) outside of maintenance mode"
            )
        if not node.service.serving or node.drain_waived:
            return
        if not cluster.database.rows[node.name].draining:
            self._violate(cluster, "R7", f"{node.name} was stopped ({by}) without being drained")
        if running := cluster.running_tasks(node.name):
            self._violate(
                cluster, "R7", f"{node.name} was stopped ({by}) while {len(running)} task(s) ran"
            )

    def msi_installs(self, cluster: Cluster, node: Node, sha256: str, args: MsiArguments) -> None:
        if sha256 not in node.proved:
            self._violate(
                cluster,
                "R5",
                f"{PurePath(args.package).name} was installed on {node.name} "
                "without proof of its hash and signature there",
            )
        if node.service.state != "stopped":
            self._violate(
                cluster,
                "MSI",
                f"{node.name}: msiexec was run while the service was {node.service.state}",
            )
        for problem in args.problems(node):
            self._violate(cluster, "MSI", f"{node.name}: {problem}")

        for program in node.programs.values():
            if program.name == "Octopus.Server":
                self._violate(
                    cluster,
                    "MSI",
                    f"{node.name}: msiexec was run while {program.command_line} ran",
                )

    def server_program_starts(self, cluster: Cluster, node: Node, arguments: Sequence[str]) -> None:
        if node.msi_running:
            self._violate(
                cluster,
                "MSI",
                f"{node.name}: Octopus.Server.exe {arguments[0]} was run while msiexec replaced it",
            )

    def old_package_installed(self, cluster: Cluster, node: Node, version: str) -> None:
        schema = cluster.database.schema_version
        if version_key(version) < version_key(schema):
            self._violate(cluster, "R3", f"{node.name} was given {version} on schema {schema}")

    def database_upgrade_starts(self, cluster: Cluster, by: Node) -> None:
        self.database_upgrade_asked(cluster, by)
        last_stop = max(node.stopped_at for node in cluster.nodes.values())
        if not any(b.verified and b.started >= last_stop for b in cluster.database.backups):
            self._violate(
                cluster,
                "R6",
                f"{by.name} upgrades the database without a verified backup "
                "begun after the last node was stopped",
            )

    def database_upgrade_asked(self, cluster: Cluster, by: Node) -> None:
        """Also where the program refuses: nobody may count on that."""
        for node in cluster.nodes.values():
            if node.service.state != "stopped":
                self._violate(
                    cluster,
                    "R1",
                    f"{by.name} was told to upgrade the database "
                    f"while the service on {node.name} is {node.service.state}",
                )

    def database_upgraded(self, cluster: Cluster, by: Node) -> None:
        database = cluster.database
        database.upgrades += 1
        database.upgrades_in_window += 1
        if database.upgrades_in_window > 1:
            self._violate(
                cluster,
                "R2",
                f"{by.name} made database upgrade number {database.upgrades_in_window} "
                "since the cluster last served",
            )

    def at_end(self, cluster: Cluster) -> list[dict[str, object]]:
        """R8, judged now."""
        found, now = cluster.initial_maintenance, cluster.database.maintenance
        if found == now:
            return []
        words = {True: "on", False: "off"}
        detail = f"maintenance mode was found {words[found]} and is left {words[now]}"
        return [{"rule": "R8", "at": cluster.now, "detail": detail}]

    def _violate(self, cluster: Cluster, rule: str, detail: str) -> None:
        cluster.truth.violate(rule, cluster.now, detail)
