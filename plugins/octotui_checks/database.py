"""What must be true of the database, as the identity of ``[jobs]`` sees it."""

from __future__ import annotations

from collections.abc import Iterable

from octotui.api import Check, Finding
from octotui.api.facts import Facts


class DatabaseRights(Check):
    """Backup, upgrade and the proof of what was done all need the owner of the database."""

    name = "database-rights"
    title = "the identity of [jobs] owns the Octopus database"
    mandatory = True
    link = "https://octopus.com/docs/installation/permissions-for-the-octopus-windows-service"

    def run(self, facts: Facts) -> Iterable[Finding]:
        state, node = facts.database, facts.first_node
        if state is None:
            reason = facts.problems.get("database", "the database was not asked")
            fix = "Make the first node readable; then this can be seen"
            yield Finding(self.name, "fail", reason, node, fix, self.link)
        elif not state.reachable:
            text = f"{state.identity} cannot open the database: {state.problem}"
            fix = "Choose another [jobs] run_as, or give that account access to the database"
            yield Finding(self.name, "fail", text, node, fix, self.link)
        elif not state.db_owner:
            text = f"{state.identity} is no db_owner of {state.database} on {state.server}"
            fix = "Make that account db_owner, or choose another [jobs] run_as"
            yield Finding(self.name, "fail", text, node, fix, self.link)
        elif not state.history:
            text = f"{state.database} does not tell which version upgraded it last"
            fix = "An empty dbo.OctopusServerInstallationHistory breaks upgrades: ask the vendor"
            yield Finding(self.name, "fail", text, node, fix, self.link)
        elif facts.cluster and state.schema_version != facts.cluster.version:
            text = f"the database is {state.schema_version}, the cluster {facts.cluster.version}"
            fix = "Find out why before anything is installed"
            yield Finding(self.name, "fail", text, node, fix, self.link)
        else:
            text = f"{state.identity} owns {state.database} on {state.server}"
            yield Finding(self.name, "pass", text, node, link=self.link)
