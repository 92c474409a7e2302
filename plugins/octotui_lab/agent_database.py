"""What the agent reads of the database (``DatabaseState``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from octotui_lab import agent_facts
from octotui_lab.hosts import WindowsHost

_WHO = (
    "SELECT IS_MEMBER('db_owner') AS owner, SUSER_SNAME() AS who, "
    "SERVERPROPERTY('ProductVersion') AS version"
)
_HISTORY = (
    "SELECT TOP (50) Version, Installed FROM dbo.OctopusServerInstallationHistory "
    "ORDER BY Installed DESC"
)
_NODES = "SELECT Name, LastSeen FROM dbo.OctopusServerNode ORDER BY Name"


async def state(host: WindowsHost, instance: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """``DatabaseState`` of the instance's database, as ``identity`` sees it from this host."""
    empty: dict[str, Any] = {
        "reachable": False,
        "problem": "",
        "identity": identity,
        "db_owner": False,
        "server": instance["database_server"],
        "database": instance["database_name"],
        "server_version": "",
        "history": [],
        "nodes": [],
        "migrator_running": any(
            process["verb"] == "database" for process in agent_facts.services(host)["processes"]
        ),
    }
    found = []
    for text in (_WHO, _HISTORY, _NODES):
        statement = await host.sql(text, identity)
        if statement.error:
            return {**empty, "problem": statement.error}
        found.append(statement.rows)
    (who,), history, nodes = found
    return {
        **empty,
        "reachable": True,
        "identity": who["who"],
        "db_owner": who["owner"] == 1,
        "server_version": who["version"],
        "history": [{"version": row["Version"], "installed": row["Installed"]} for row in history],
        "nodes": [{"name": row["Name"], "last_seen": row["LastSeen"]} for row in nodes],
    }
