"""The database's schema: who seems alive to it, and how it is upgraded."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

from octotui_lab.catalogue import version_key
from octotui_lab.model.state import INSTANCE, Cluster, Node, NodeRow
from octotui_lab.truth import took

#: Takes a level and a message.
Write: TypeAlias = Callable[[str, str], None]

#: The first version whose upgrade refuses while another node looks alive (I#8241).
_GUARD_SINCE = (2023, 2, 9755)
_SCRIPTS = 24
#: Shares of the upgrade's duration: pre-conditions, scripts (until here), index rebuild, end.
_BEGIN, _SCRIPTS_END = 0.04, 0.9
#: Of the scripts' time, where the fault ``upgrade-fails`` strikes.
_FAILS_AT = 0.6
#: What a run takes that finds nothing to upgrade (lab seconds).
_NOTHING_TO_DO = 5.0


def last_heartbeat(cluster: Cluster, row: NodeRow) -> float:
    """When a node's row was last touched."""
    if row.heartbeats_since is None:
        return row.last_seen
    interval = cluster.durations.heartbeat / cluster.schedule.clock.speed
    beats = (cluster.now - row.heartbeats_since) // interval
    return row.heartbeats_since + beats * interval


def looks_alive(cluster: Cluster, node: str) -> bool:
    """Whether the other nodes take a node for running. A clean stop shows seconds later."""
    row = cluster.database.rows[node]
    return row.heartbeats_since is not None or cluster.now < row.alive_until


def unknown_node(cluster: Cluster) -> str:
    """The name of the node of no known host; empty where the lab has none."""
    return f"OCTO{len(cluster.nodes) + 1}" if cluster.faults.has("cluster", "unknown-node") else ""


def upgrade(cluster: Cluster, node: Node, write: Write) -> Generator[float, None, bool]:
    """``database --upgrade`` from its first line to its last. Whether it succeeded."""
    write("INFO", f"Using instance {INSTANCE}")
    write("INFO", f"Using database {cluster.database.name} on {cluster.database.server}")
    if problem := _refusal(cluster, node):
        yield 1.0
        cluster.rules.database_upgrade_asked(cluster, node)
        cluster.truth.act(
            cluster.now, node.name, "database-upgrade-refused", version=node.version, reason=problem
        )
        write("ERROR", problem)
        write("ERROR", "Failed upgrading database schema. Nothing was changed.")
        return False
    cluster.rules.database_upgrade_starts(cluster, node)
    return (yield from _transaction(cluster, node, write))


def upgrade_at_start(cluster: Cluster, node: Node) -> Generator[float, None, bool]:
    """What a server does whose binaries are newer than the schema; its log is its own."""

    def into_its_log(level: str, message: str) -> None:
        pass

    cluster.rules.database_upgrade_starts(cluster, node)
    return (yield from _transaction(cluster, node, into_its_log))


def _refusal(cluster: Cluster, node: Node) -> str:
    database = cluster.database
    if cluster.faults.has("database", "down"):
        return (
            f"A network-related error occurred while connecting to {database.server}: "
            "the server was not found or was not accessible."
        )
    if cluster.faults.has(node.scope, "no-database-rights"):
        return f"The account is not db_owner of the database {database.name}."
    if version_key(node.version) < version_key(database.schema_version):
        return (
            f"The database was last used by the newer version {database.schema_version}. "
            "Install that version or a newer one, or restore the database."
        )
    if version_key(node.version) >= _GUARD_SINCE:
        others = [n for n in cluster.nodes if n != node.name and looks_alive(cluster, n)]
        if unknown := unknown_node(cluster):
            others.append(unknown)
        if others:
            return (
                f"Another node looks alive: {', '.join(others)}. "
                "Stop all other nodes before the database is upgraded."
            )
    return ""


def _transaction(cluster: Cluster, node: Node, write: Write) -> Generator[float, None, bool]:
    database = cluster.database
    action = cluster.truth.act(
        cluster.now,
        node.name,
        "database-upgrade",
        version=node.version,
        schema_before=database.schema_version,
    )
    database.upgrading_on = node.name
    try:
        if database.schema_version == node.version:
            write("INFO", "The database schema is up to date")
            yield _NOTHING_TO_DO
            succeeded = True
        else:
            succeeded = yield from _scripts(cluster, node, write)
    finally:
        # Also where the process was killed: SQL Server then rolls the transaction back.
        database.upgrading_on = ""
        took(action, cluster.now - action["at"])
    if succeeded:
        if database.schema_version != node.version:
            database.schema_version = node.version
            database.history.insert(0, (node.version, cluster.now))
        cluster.rules.database_upgraded(cluster, node)
        write("INFO", "Database upgrade completed")
    return succeeded


def _scripts(cluster: Cluster, node: Node, write: Write) -> Generator[float, None, bool]:
    duration = cluster.seconds(node, cluster.durations.database_upgrade)
    duration *= cluster.faults.factor("database", "upgrade-slow")
    write("INFO", "Ensuring pre-conditions")
    yield duration * _BEGIN
    write("INFO", "- PASS SQL Server version")
    write("INFO", "- PASS Database collation")
    if cluster.faults.has("license", "not-compliant"):
        write("ERROR", "- FAIL License: the upgraded server would not comply with its license")
        write("ERROR", "Failed upgrading database schema. Nothing was changed.")
        return False
    write("INFO", "- PASS License")
    write("INFO", "Beginning transaction")
    fails_at = -1
    if cluster.faults.take("database", "upgrade-fails") is not None:
        fails_at = int(_SCRIPTS * _FAILS_AT)
    for index in range(_SCRIPTS):
        script = f"Octopus.Core.UpgradeScripts.Script{801 + index:04d}Lab.sql"
        write("INFO", f"Executing SQL Server script '{script}'")
        yield duration * (_SCRIPTS_END - _BEGIN) / _SCRIPTS
        if index == fails_at:
            write("ERROR", "Upgrade failed due to an unexpected exception:")
            write("ERROR", f"Invalid column name 'Lab' in script '{script}'")
            write("ERROR", "The transaction will be rolled back")
            write("ERROR", "Failed upgrading database schema")
            return False
    write("INFO", "Ensuring COMPATIBILITY_LEVEL")
    write("INFO", "Rebuilding fragmented indexes")
    yield duration * (1 - _SCRIPTS_END)
    return True
