"""How a run ended: exit codes, and the last lines that say what to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from octotui.run.ledger import Ledger
from octotui.upgrade.phases import POINT_OF_NO_RETURN, ROLLING_BACK

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

#: The parts of an error, in the order in which they are told.
_EVERYTHING: Final = ("what", "meaning", "left", "next")


def closing_lines(
    outcome: str, ledger: Ledger, run_id: str, possible: Collection[str]
) -> list[str]:
    """What a person must know at the end: outcome, what is not as it was found, what to do.

    ``possible`` are the triggers that the machine would take now.
    """
    lines = [_first_line(outcome, ledger)]
    if outcome != "succeeded":
        # What failed tells what it left and what to do then; a way back has made both untrue.
        parts = ("what", "meaning") if outcome == "rolled_back" else _EVERYTHING
        lines += [_sentences(error, parts) for error in ledger.failures.values()]
        lines += [
            f"A plugin did not let {phase.replace('_', ' ')} begin: {reason}."
            for phase, reasons in ledger.vetoes.items()
            for reason in reasons
        ]
    lines += [f"{node} was left out: {_stays(node, ledger)}." for node in sorted(ledger.left_out)]
    lines += [
        f"{node} wants a restart of Windows, says its installer." for node in _restart(ledger)
    ]
    if outcome in ("held", "needs_person"):
        lines += _nodes_as_they_stand(ledger)
        lines += _choices(outcome, ledger, run_id, possible)
    return lines


def _first_line(outcome: str, ledger: Ledger) -> str:
    """The outcome, who was left out, and whether maintenance mode is not as it was found."""
    plan = ledger.plan
    old, new = (plan.from_version, plan.to_version) if plan else ("the old version", "the new")
    phase = ledger.waiting_phase.replace("_", " ")
    text = {
        "succeeded": f"Upgraded {old} to {new}",
        "failed": f"Failed; {_unchanged(ledger)}",
        "aborted": f"Aborted; {_unchanged(ledger)}",
        "rolled_back": f"Rolled back: {old} serves again and everything is as it was found",
        "refused": "Refused by a check; nothing was changed",
        "ready": "Planned, and nothing was changed. To approve it: the same command with --yes",
        "held": f"Held before {phase}, as asked",
        "needs_person": f"Needs a person: {phase} did not end well",
    }[outcome]
    if ledger.left_out:
        text += f", without {', '.join(sorted(ledger.left_out))}"
    if outcome in ("held", "needs_person") and _left_in_maintenance(ledger):
        text += "; maintenance mode is on"
    return text + "."


def _unchanged(ledger: Ledger) -> str:
    """What a run that changed nothing leaves behind."""
    staged = sorted(
        step.partition("@")[2] for step in ledger.begun if step.startswith("staging.stage@")
    )
    if not staged:
        return "nothing was changed on any node"
    return f"no installation was changed, but packages may lie staged on {', '.join(staged)}"


def _sentences(error: Mapping[str, Any], parts: Collection[str]) -> str:
    where = f"{error['node']}: " if error.get("node") else ""
    sentences = [error[part] for part in parts]
    return where + ". ".join(s.rstrip(".") for s in sentences if s) + "."


def _left_in_maintenance(ledger: Ledger) -> bool:
    if ledger.plan is None or ledger.plan.maintenance or "maintenance.on" not in ledger.begun:
        return False
    return not any(step.endswith(".maintenance") for step in ledger.results)


def _restart(ledger: Ledger) -> list[str]:
    """Nodes whose last installer said that Windows wants a restart."""
    wants: dict[str, bool] = {}
    for step, result in ledger.results.items():
        name, _, node = step.partition("@")
        if name.endswith((".install", ".reinstall")) and "reboot_required" in result:
            wants[node] = wants.get(node, False) or bool(result["reboot_required"])
    return sorted(node for node, wanted in wants.items() if wanted)


def _nodes_as_they_stand(ledger: Ledger) -> list[str]:
    """Every node that is not as it was found, by how it stands."""
    if ledger.plan is None:
        return []
    found: dict[str, list[str]] = {}
    for node in ledger.plan.node_names:
        if node not in ledger.left_out and (state := _stands(node, ledger)):
            found.setdefault(state, []).append(node)
    return [f"{state}: {', '.join(nodes)}." for state, nodes in found.items()]


def _stands(node: str, ledger: Ledger) -> str:
    plan, done = ledger.plan, ledger.results
    assert plan is not None
    for phase in ("rolling_back", "joining", "starting"):
        if f"{phase}.serving@{node}" in done:
            version = plan.from_version if phase == "rolling_back" else plan.to_version
            parked = "" if f"{phase}.unpark@{node}" in done else ", still parked"
            return f"Serving {version}{parked}"
        if f"{phase}.start@{node}" in ledger.begun:
            return "Started, but not proved to serve"
    if f"stopping.stop@{node}" in done:
        return "Stopped and parked"
    if f"stopping.park@{node}" in ledger.begun:
        return "Parked, but not proved stopped"
    if f"draining.drain@{node}" in ledger.begun:
        return "Drained, still serving"
    return ""


def _stays(node: str, ledger: Ledger) -> str:
    """How a node stands that is not worked on any more, within a sentence."""
    state = _stands(node, ledger)
    return state[:1].lower() + state[1:] if state else "as it was found"


def _choices(outcome: str, ledger: Ledger, run_id: str, possible: Collection[str]) -> list[str]:
    """What can be done now, and what each leaves behind."""
    if outcome == "held":
        lines = [f"Go on: octotui resume {run_id}"]
    else:
        lines = [f"When the cause is put right: octotui resume {run_id}"]
    then = f", then octotui resume {run_id}"
    if "leave_out" in possible:
        failed = sorted({step.partition("@")[2] for step in ledger.failures})
        lines += [
            f"Or go on without {node}, which stays as it stands, {_stays(node, ledger)}: "
            f"octotui control {run_id} leave-out {node}{then}"
            for node in failed
        ]
    if "rollback" in possible and ledger.waiting_phase != ROLLING_BACK.name:
        lines.append(f"Or put the old version back: octotui control {run_id} rollback{then}")
    elif "abort" in possible:
        lines.append(f"Or give it up: octotui control {run_id} abort{then}")
    elif any(step.startswith(f"{POINT_OF_NO_RETURN}.database@") for step in ledger.results):
        lines.append(
            "The database is upgraded: the way back is to restore the backup with the old "
            "package on every node, by hand and by a person's decision."
        )
    return lines
