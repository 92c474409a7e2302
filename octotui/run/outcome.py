"""How a run ended: exit codes, and the last lines that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from octotui.run.ledger import Ledger
from octotui.upgrade.phases import BY_NAME, POINT_OF_NO_RETURN, sequence

#: The exit codes that scripts rely on. An interrupted viewer exits with 130; the run goes on.
EXIT_CODES: Final[Mapping[str, int]] = {
    "succeeded": 0,
    "failed": 1,
    "aborted": 1,
    "rolled_back": 1,
    "refused": 3,
    "ready": 4,
    "held": 4,
    "needs_person": 4,
}


def closing_lines(outcome: str, ledger: Ledger, run_id: str) -> list[str]:
    """What a person must know at the end: outcome, what is not as it was found, what to do."""
    plan = ledger.plan
    versions = f" {plan.from_version} to {plan.to_version}" if plan else ""
    lines = {
        "succeeded": [f"Upgraded{versions}."],
        "failed": ["Failed; nothing was changed on any node."],
        "aborted": ["Aborted; nothing was changed on any node."],
        "rolled_back": [
            f"Rolled back: every node serves {plan.from_version if plan else 'the old version'} "
            "again and nothing is left parked, drained or in maintenance."
        ],
        "refused": ["Refused: a check failed; nothing was changed."],
        "ready": [
            "The plan is made and nothing was changed. Approve it: the same command with --yes"
        ],
        "held": [
            f"Held before {ledger.waiting_phase}, as asked.",
            f"Go on: octotui resume {run_id}",
        ],
        "needs_person": [f"Needs a person: {ledger.waiting_phase} did not end well."],
    }[outcome]
    for error in ledger.failures.values():
        if outcome == "succeeded":
            break
        where = f"{error['node']}: " if error.get("node") else ""
        sentences = (error["what"], error["meaning"], error["left"], error["next"])
        lines.append(where + ". ".join(s.rstrip(".") for s in sentences if s) + ".")
    lines += [f"{node} was left out: it is stopped and parked." for node in sorted(ledger.left_out)]
    if outcome in ("held", "needs_person"):
        lines += _as_it_stands(ledger)
    if outcome == "needs_person":
        lines += _choices(ledger, run_id)
    return lines


def _as_it_stands(ledger: Ledger) -> list[str]:
    """What is not as it was found while a run waits."""
    plan = ledger.plan
    if plan is None:
        return []
    lines = []
    done = ledger.results
    if "maintenance.on" in done and not any(s.endswith(".maintenance") for s in done):
        lines.append("Maintenance mode is on.")
    stopped = [n for n in plan.node_names if _is_stopped(n, ledger)]
    if stopped:
        lines.append(f"Stopped and parked: {', '.join(stopped)}.")
    serving = [n for n in plan.node_names if _serves(n, ledger)]
    if serving:
        lines.append(f"Serving {plan.to_version}: {', '.join(serving)}.")
    return lines


def _is_stopped(node: str, ledger: Ledger) -> bool:
    return f"stopping.stop@{node}" in ledger.results and not _serves(node, ledger)


def _serves(node: str, ledger: Ledger) -> bool:
    return any(
        f"{phase}.serving@{node}" in ledger.results
        for phase in ("starting", "joining", "rolling_back")
    )


def _choices(ledger: Ledger, run_id: str) -> list[str]:
    """What can be done now, and what each leaves behind."""
    lines = [f"When the cause is put right: octotui resume {run_id}"]
    phases = sequence(cluster=True)
    failed = {step.partition("@")[2] for step in ledger.failures}
    first = ledger.plan.first_node if ledger.plan else ""
    if failed and "" not in failed and first not in failed and ledger.waiting_phase == "joining":
        lines += [
            f"Or go on without {node}, which stays stopped and parked: "
            f"octotui control {run_id} leave-out {node}"
            for node in sorted(failed)
        ]
    if ledger.waiting_phase in BY_NAME and ledger.waiting_phase in phases:
        if phases.index(ledger.waiting_phase) <= phases.index(POINT_OF_NO_RETURN):
            lines.append(f"Or put the old version back: octotui control {run_id} rollback")
        else:
            lines.append(
                "The database is upgraded: the way back is to restore the backup with the old "
                "package on every node, by hand and by a person's decision."
            )
    return lines
