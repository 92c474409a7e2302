"""SQL Server as the agent meets it: backup, its verification, and a few reads of the database."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from octotui_lab.model import schema
from octotui_lab.model.state import BackupFile, Cluster, Node
from octotui_lab.schedule import Course
from octotui_lab.truth import took

Row: TypeAlias = dict[str, str | int | None]

_BACKUP = re.compile(
    r"BACKUP\s+DATABASE\s+\[?(?P<name>[^\]\s]+)\]?\s+TO\s+DISK\s*=\s*N?'(?P<file>(?:[^']|'')+)'"
    r"(?P<options>.*)",
    re.IGNORECASE | re.DOTALL,
)
_VERIFY = re.compile(
    r"RESTORE\s+VERIFYONLY\s+FROM\s+DISK\s*=\s*N?'(?P<file>(?:[^']|'')+)'", re.IGNORECASE
)
_RESTORE = re.compile(
    r"RESTORE\s+DATABASE\s+\[?(?P<name>[^\]\s]+)\]?\s+FROM\s+DISK\s*=\s*N?'(?P<file>(?:[^']|'')+)'",
    re.IGNORECASE,
)
_SELECT = re.compile(
    r"SELECT\s+(?:TOP\s*\(?\s*(?P<top>\d+)\s*\)?\s+)?(?P<columns>.+?)"
    r"(?:\s+FROM\s+(?:\[?dbo\]?\.)?\[?(?P<table>\w+)\]?.*)?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
#: ``STATS = 5``: a message every five percent.
_PERCENT_STEP = 5
#: Until a connection to a SQL Server that does not answer is given up (lab seconds).
_CONNECT_TIMEOUT = 15.0


@dataclass(eq=False)
class Statement:
    """A statement under way: ``messages`` grow; ``rows`` and ``error`` are there once ``done``."""

    text: str
    identity: str
    rows: list[Row] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    error: str = ""
    #: False where no connection was made.
    connected: bool = True
    done: bool = False


def start(cluster: Cluster, node: Node, text: str, identity: str) -> Statement:
    """Sends a statement from a node, as the account ``identity``."""
    statement = Statement(text, identity)
    cluster.schedule.follow(_run(cluster, node, statement))
    return statement


def _run(cluster: Cluster, node: Node, statement: Statement) -> Course:
    if cluster.faults.has("database", "down"):
        yield _CONNECT_TIMEOUT
        statement.connected = False
        statement.error = (
            "A network-related or instance-specific error occurred while establishing a connection "
            "to SQL Server. The server was not found or was not accessible."
        )
    elif backup := _BACKUP.fullmatch(statement.text.strip()):
        yield from _backup(cluster, node, statement, backup)
    elif verify := _VERIFY.match(statement.text.strip()):
        yield from _verify(cluster, node, statement, verify)
    elif restore := _RESTORE.match(statement.text.strip()):
        yield from _restore(cluster, node, statement, restore)
    elif select := _SELECT.fullmatch(statement.text.strip()):
        _select(cluster, node, statement, select)
    else:
        statement.error = "Incorrect syntax, as far as the lab understands Transact-SQL."
    statement.done = True


def _denied(cluster: Cluster, node: Node, statement: Statement, what: str) -> bool:
    if cluster.faults.has(node.scope, "no-database-rights"):
        statement.error = f"{what} permission denied in database '{cluster.database.name}'."
        return True
    return False


def _backup(cluster: Cluster, node: Node, statement: Statement, asked: re.Match[str]) -> Course:
    database, file = cluster.database, asked["file"].replace("''", "'")
    if _denied(cluster, node, statement, "BACKUP DATABASE"):
        return
    if asked["name"].lower() != database.name.lower():
        statement.error = f"Database '{asked['name']}' does not exist."
        return
    options = asked["options"].upper()
    detail = {"file": file, "copy_only": "COPY_ONLY" in options, "checksum": "CHECKSUM" in options}
    action = cluster.truth.act(cluster.now, node.name, "backup", **detail)
    backup = BackupFile(
        file=file,
        action=action,
        node=node.name,
        started=cluster.now,
        finished=0.0,
        schema_version=database.schema_version,
        maintenance=database.maintenance,
        history=tuple(database.history),
    )
    fails = cluster.faults.take("database", "backup-fails") is not None
    duration = cluster.seconds(node, cluster.durations.backup)
    for percent in range(_PERCENT_STEP, 100 + _PERCENT_STEP, _PERCENT_STEP):
        yield duration * _PERCENT_STEP / 100
        if fails and percent > 40:
            statement.error = (
                f"Write on '{file}' failed: there is not enough space on the disk. "
                "BACKUP DATABASE is terminating abnormally."
            )
            return
        statement.messages.append(f"{percent} percent processed.")
    backup.finished = cluster.now
    took(action, backup.finished - backup.started)
    database.backups.append(backup)
    statement.messages.append("BACKUP DATABASE successfully processed 51200 pages.")


def _verify(cluster: Cluster, node: Node, statement: Statement, asked: re.Match[str]) -> Course:
    backup = _find(cluster, statement, asked["file"])
    if backup is None or _denied(cluster, node, statement, "RESTORE VERIFYONLY"):
        return
    begun = cluster.now
    yield cluster.seconds(node, cluster.durations.backup_verify)
    took(backup.action, cluster.now - begun)
    backup.verified = True
    cluster.truth.act(cluster.now, node.name, "backup-verified", file=backup.file)
    statement.messages.append("The backup set on file 1 is valid.")


def _restore(cluster: Cluster, node: Node, statement: Statement, asked: re.Match[str]) -> Course:
    database = cluster.database
    backup = _find(cluster, statement, asked["file"])
    if backup is None or _denied(cluster, node, statement, "RESTORE DATABASE"):
        return
    cluster.truth.act(cluster.now, node.name, "database-restore", file=backup.file)
    yield cluster.seconds(node, cluster.durations.backup)
    database.schema_version = backup.schema_version
    database.maintenance = backup.maintenance
    database.history = list(backup.history)
    database.upgrades_in_window = 0


def _find(cluster: Cluster, statement: Statement, quoted: str) -> BackupFile | None:
    file = quoted.replace("''", "'")
    for backup in cluster.database.backups:
        if backup.file == file:
            return backup
    statement.error = f"Cannot open backup device '{file}'. The system cannot find the file."
    return None


def _select(cluster: Cluster, node: Node, statement: Statement, asked: re.Match[str]) -> None:
    columns = [_column(text) for text in _split(asked["columns"])]
    if asked["table"] is None:
        values = _values(cluster, node, statement)
        row: Row = {}
        for index, (name, expression) in enumerate(columns):
            value = values.get(_plain(expression))
            if value is None:
                statement.error = f"The lab does not know {expression}."
                return
            row[name or f"Column{index + 1}"] = value()
        statement.rows.append(row)
        return
    rows = _table(cluster, asked["table"])
    if rows is None:
        statement.error = f"Invalid object name 'dbo.{asked['table']}'."
        return
    for full in rows[: int(asked["top"])] if asked["top"] else rows:
        by_name = {key.lower(): (key, value) for key, value in full.items()}
        if [expression for _, expression in columns] == ["*"]:
            statement.rows.append(full)
            continue
        row = {}
        for name, expression in columns:
            found = by_name.get(_plain(expression))
            if found is None:
                statement.error = f"Invalid column name '{expression}'."
                return
            row[name or found[0]] = found[1]
        statement.rows.append(row)


def _values(
    cluster: Cluster, node: Node, statement: Statement
) -> dict[str, Callable[[], str | int]]:
    database = cluster.database
    owner = 0 if cluster.faults.has(node.scope, "no-database-rights") else 1
    return {
        "is_member('db_owner')": lambda: owner,
        "is_rolemember('db_owner')": lambda: owner,
        "suser_sname()": lambda: statement.identity,
        "system_user": lambda: statement.identity,
        "original_login()": lambda: statement.identity,
        "serverproperty('productversion')": lambda: database.product_version,
        "serverproperty('servername')": lambda: database.server,
        "@@servername": lambda: database.server,
        "db_name()": lambda: database.name,
        "1": lambda: 1,
    }


def _table(cluster: Cluster, table: str) -> list[Row] | None:
    """A table's rows; the history newest first, whatever order was asked for."""
    database = cluster.database
    if table.lower() == "octopusserverinstallationhistory":
        return [{"Version": v, "Installed": iso(at)} for v, at in database.history]
    if table.lower() == "octopusservernode":
        return [
            {
                "Id": f"OctopusServerNodes-{name}",
                "Name": name,
                "LastSeen": iso(schema.last_heartbeat(cluster, row)),
                "MaxConcurrentTasks": row.task_cap,
                "IsInMaintenanceMode": int(row.draining),
            }
            for name, row in database.rows.items()
        ]
    return None


def iso(at: float) -> str:
    """Epoch seconds as the database stores a time."""
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds")


def _split(columns: str) -> list[str]:
    """The expressions of a select list, at its commas outside of brackets."""
    parts, depth, current = [], 0, ""
    for character in columns:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()]


def _column(text: str) -> tuple[str, str]:
    """The name given to an expression (or none), and the expression."""
    named = re.fullmatch(r"(.+?)\s+AS\s+\[?(\w+)\]?", text, re.IGNORECASE | re.DOTALL)
    return (named[2], named[1]) if named else ("", text)


def _plain(expression: str) -> str:
    """An expression without brackets around names, casts, prefixes, blanks and capitals."""
    plain = expression.strip()
    while True:
        cast = re.fullmatch(r"CAST\s*\((.+)\s+AS\s+\w+(?:\([^)]*\))?\s*\)", plain, re.I | re.DOTALL)
        convert = re.fullmatch(
            r"CONVERT\s*\(\s*\w+(?:\([^)]*\))?\s*,\s*(.+?)(?:\s*,\s*\d+)?\s*\)",
            plain,
            re.I | re.DOTALL,
        )
        inner = cast or convert
        if inner is None:
            break
        plain = inner[1].strip()
    plain = re.sub(r"\s+", "", plain).lower().replace("[", "").replace("]", "")
    return plain.replace("(n'", "('")
