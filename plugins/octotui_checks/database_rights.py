"""Jobs on the first node can do what the database upgrade does."""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api import Finding
from octotui.api.facts import DatabaseState, Facts, NodeProblem
from octotui_checks.reporting import Reporter, reason

_REPORT = Reporter(
    "database-rights",
    "https://octopus.com/docs/installation/permissions-for-the-octopus-windows-service",
)


class DatabaseRightsCheck:
    """``database --upgrade`` runs as the identity of ``[jobs] run_as`` and alters the schema."""

    name = _REPORT.check
    title = "the identity of [jobs] is db_owner of the Octopus database, from the first node"
    mandatory = True

    def run(self, facts: Facts) -> Iterable[Finding]:
        database, node = facts.database, facts.first_node
        if database is None:
            if isinstance(facts.nodes.get(node), NodeProblem):
                return [_REPORT.skipped("the first node cannot be read, see nodes-reachable", node)]
            return [
                _REPORT.failed(
                    f"the database could not be asked for: {reason(facts, 'database')}",
                    "Put that right on the first node, then check again",
                    node,
                )
            ]
        where = f"{database.database} on {database.server}"
        who = database.identity or "the identity of [jobs]"
        if not database.reachable:
            return [
                _REPORT.failed(
                    f"{who} cannot open {where}: {database.problem or 'no reason was given'}",
                    "Give that account access, or choose another [jobs] run_as",
                    node,
                )
            ]
        if not database.db_owner:
            return [
                _REPORT.failed(
                    f"{who} is not db_owner of {where}",
                    "Add that account to db_owner, or choose another [jobs] run_as",
                    node,
                )
            ]
        if wrong := _other_schema(facts, database):
            return [_REPORT.failed(wrong, "Find out why before anything is installed", node)]
        return [_REPORT.passed(f"{who} is db_owner of {where}", node)]


def _other_schema(facts: Facts, database: DatabaseState) -> str:
    """What is wrong with the version that upgraded the database last; empty for nothing.

    Backing out and the proof of the upgrade rest on that history.
    """
    if not database.history:
        return f"{database.database} does not tell which version upgraded it last"
    if facts.cluster is not None and database.schema_version != facts.cluster.version:
        return (
            f"{database.database} was last upgraded by {database.schema_version}, "
            f"the cluster runs {facts.cluster.version}"
        )
    return ""
