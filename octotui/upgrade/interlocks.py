"""Interlocks: what must be observed to be true right before an act that can do harm.

Pure functions from what was just observed to the reasons why the act is refused; the rules are
those that the tests' oracle and the lab's ground truth hold us to (R1-R7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from octotui.api.backup import BackupEvidence
from octotui.api.errors import OctotuiError
from octotui.api.facts import DatabaseState, FileProof, Services, Task


class InterlockRefused(OctotuiError):
    """An act was refused because what was observed forbids it. Nothing was done."""

    def __init__(self, act: str, reasons: Sequence[str], *, node: str | None = None) -> None:
        super().__init__(
            f"refused to {act}: {'; '.join(reasons)}",
            node=node,
            left="Nothing was done",
            next_step="Put right what is named here, then retry",
        )
        self.reasons = tuple(reasons)


def demand(act: str, reasons: Sequence[str], *, node: str | None = None) -> None:
    """Raises InterlockRefused where there is a reason."""
    if reasons:
        raise InterlockRefused(act, reasons, node=node)


def not_stopped(services: Mapping[str, Services]) -> list[str]:
    """R1, R6: every node proved stopped, by service state and by process."""
    reasons = []
    for node, observed in services.items():
        if not observed.proved_stopped:
            reasons.append(f"{node} is not stopped ({describe(observed)})")
    return reasons


def describe(services: Services) -> str:
    """What runs on a node, in words."""
    states = [f"service {s.name} is {s.state}" for s in services.services if s.state != "stopped"]
    processes = [
        f"Octopus.Server.exe {p.verb} runs as process {p.process_id}" for p in services.processes
    ]
    return ", ".join(states + processes) or "everything is stopped"


def stop_too_early(maintenance: bool, running: Sequence[Task]) -> list[str]:
    """R7: no stop outside maintenance mode, none while tasks run."""
    reasons = []
    if not maintenance:
        reasons.append("maintenance mode is not on")
    if running:
        reasons.append(f"{len(running)} tasks are running, {running[0].id} among them")
    return reasons


def not_proved(proof: FileProof) -> list[str]:
    """R5: nothing is installed unless hash and signature were proved on that node."""
    if proof.proved:
        return []
    return list(proof.reasons) or ["the package is not proved"]


def no_backup(evidence: BackupEvidence | None) -> list[str]:
    """R6: no point of no return without a verified backup."""
    if evidence is None:
        return ["there is no backup of the database"]
    if not evidence.verified:
        return [f"the backup {evidence.name} was not verified"]
    return []


def ran_since(last_seen: Mapping[str, str], state: DatabaseState) -> list[str]:
    """R6: no node may have run since all of them were proved stopped, before the backup.

    ``last_seen`` is what the database said of each node then; a later heartbeat is of a node that
    may have written what the backup lacks. Compared with itself, so that no clock has to be right.
    """
    if not last_seen:
        return ["when every node was last seen was never noted"]
    return [
        f"{node.name} has run since it was proved stopped, and the backup may lack what it wrote"
        for node in state.nodes
        if node.last_seen != last_seen.get(node.name, "")
    ]


def schema_changed(state: DatabaseState, expected: str) -> list[str]:
    """Back-out without restore is allowed only while the schema is proved to be ``expected``'s."""
    if not state.reachable:
        return [f"the state of the database is unknown ({state.problem})"]
    if state.migrator_running:
        return ["a database upgrade is running"]
    if state.schema_version != expected:
        seen = state.schema_version or "of an unknown version"
        return [f"the database is {seen}, not {expected}"]
    return []


def wrong_binaries(version: str, schema_version: str) -> list[str]:
    """R3, R4: no node starts with binaries of another version than the schema."""
    if version != schema_version:
        return [f"installed is {version or 'nothing'}, the database is {schema_version}"]
    return []
