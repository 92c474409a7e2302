"""What must hold however an upgrade went, judged from the lab's truth and the run's own journal.

The rules R1 to R8 are the lab's (``octotui_lab.rules``). Here stand those that need the journal
beside the truth: every change was intended before it was made, no step ran twice at once, what the
run says of its end is so, and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from octotui.upgrade.phases import FINAL
from tests.rehearsal import CHANGES
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome
from tests.support.port_estate import PortEstate

#: The exit codes that scripts rely on (README).
EXIT_CODES = {
    "succeeded": 0,
    "failed": 1,
    "aborted": 1,
    "rolled_back": 1,
    "refused": 3,
    "ready": 4,
    "held": 4,
    "needs_person": 4,
}

#: Which steps may make a change, by the change: names without phase and node.
MAKERS = {
    "maintenance-on": {"on", "maintenance"},
    "maintenance-off": {"maintenance"},
    "drain-on": {"drain", "undrain"},
    "drain-off": {"undrain"},
    "task-cancel": {"wait"},
    "service-stop": {"stop", "reinstall"},
    "service-start": {"start", "serving"},
    "msi-install": {"install", "reinstall"},
    "msi-uninstall": {"reinstall"},
    "backup": {"backup-begin", "backup"},
    "database-upgrade": {"database"},
    "watchdog-disable": {"park", "reinstall"},
    "watchdog-enable": {"unpark"},
    "start-type": {"park", "unpark", "start", "serving", "reinstall"},
    "stage": {"stage", "prove", "install", "reinstall"},
}

#: Who starts and stops services beside octotui: they answer for themselves.
OTHERS = ("watchdog", "somebody", "checkservices", "msi")


def problems(estate: PortEstate, outcome: Outcome) -> list[str]:
    """Everything that is wrong with how a run went and how it ended; empty where nothing is."""
    return [
        *_violations(outcome),
        *_unintended(outcome),
        *_twice_at_once(outcome),
        *_others_before_the_first(outcome),
        *_untrue_end(outcome),
        *_left_behind(estate, outcome),
    ]


def _violations(outcome: Outcome) -> list[str]:
    """Broken rules. While a run waits, maintenance mode is not yet as it was found."""
    final = outcome.state in (*FINAL, "refused")
    return [
        f"{violation['rule']}: {violation['detail']}"
        for violation in outcome.truth["violations"]
        if (final or violation["rule"] != "R8")
        and not any(f"({other}" in violation["detail"] for other in OTHERS)
    ] + (["the database was upgraded twice"] if outcome.truth["database"]["upgrades"] > 1 else [])


def _unintended(outcome: Outcome) -> list[str]:
    """Changes that no step was journalled for when they were made (write ahead)."""
    begun: dict[str, list[tuple[float, float]]] = {}
    for event in outcome.events:
        if event.kind == "step.started":
            begun.setdefault(event.data["step"], []).append((event.at, float("inf")))
        elif event.kind == "step.ended":
            start, _ = begun[event.data["step"]].pop()
            begun[event.data["step"]].append((start, event.at))
    wrong = []
    for action in outcome.truth["actions"]:
        makers = MAKERS.get(action["action"])
        detail = action["detail"]
        if makers is None or str(detail.get("by", "")).startswith(OTHERS):
            continue
        if not any(
            step.partition("@")[0].rpartition(".")[2] in makers
            and step.partition("@")[2] in ("", action["node"] or "")
            and any(start - 1e-6 <= action["at"] <= end + 1e-6 for start, end in times)
            for step, times in begun.items()
        ):
            wrong.append(f"{action['action']} {action['node']} was made outside of any step")
    return wrong


def _twice_at_once(outcome: Outcome) -> list[str]:
    """Steps that were started again by the same process before they had ended."""
    open_steps: set[str] = set()
    wrong = []
    for event in outcome.events:
        if event.kind in ("run.started", "run.resumed"):
            open_steps.clear()
        elif event.kind == "step.started":
            if event.data["step"] in open_steps:
                wrong.append(f"{event.data['step']} was started twice at once")
            open_steps.add(event.data["step"])
        elif event.kind == "step.ended":
            open_steps.discard(event.data["step"])
    return wrong


def _others_before_the_first(outcome: Outcome) -> list[str]:
    """Nodes that were started on the new version before the first node served it."""
    plan = next((e.data for e in outcome.events if e.kind == "plan"), None)
    wrong = []
    for action in outcome.truth["actions"]:
        by_us = not str(action["detail"].get("by", "")).startswith(OTHERS)
        if plan is None or action["detail"].get("version") != TARGET or not by_us:
            continue
        if action["node"] == plan["first_node"] and action["action"] == "serving":
            break
        if action["action"] == "service-start" and action["node"] != plan["first_node"]:
            wrong.append(f"{action['node']} was started before the first node served")
    return wrong


def undisturbed_problems(outcome: Outcome, reopen: str) -> list[str]:
    """What is wrong with a run that nothing went wrong with, but for runners that died."""
    wrong = [
        f"nothing went wrong, but {event.data['step']} failed: {event.data['error']['what']}"
        for event in outcome.events
        if event.kind == "step.ended" and "error" in event.data
    ]
    if outcome.state != "succeeded":
        wrong.append(f"nothing went wrong, but the run {outcome.state}: {outcome.lines}")
    served, first, undrained = [], "", False
    for action in outcome.truth["actions"]:
        if (action["action"], action["detail"].get("version")) == ("serving", TARGET):
            served.append(action["node"])
        first = first or ("open" if action["action"] == "maintenance-off" else "")
        undrained = undrained or action["action"] == "drain-off"
        if first and reopen == "first-verified" and len(served) > 1:
            wrong.append("users were let in later than the plan says")
        if first and not undrained:
            wrong.append("users were let in while no node took tasks")
        if first:
            break
    return wrong


def rollback_problems(outcome: Outcome) -> list[str]:
    """Steps of a rollback that failed where nothing was wrong with any node."""
    return [
        f"{event.data['step']} failed: {event.data['error']['what']}"
        for event in outcome.events
        if event.kind == "step.ended" and "error" in event.data
        if event.data["phase"] == "rolling_back"
    ]


def _untrue_end(outcome: Outcome) -> list[str]:
    """An outcome, an exit code or a sentence that the truth does not bear out."""
    wrong = []
    if [e.seq for e in outcome.events] != list(range(1, len(outcome.events) + 1)):
        wrong.append("the journal has gaps")
    if outcome.last.kind == "run.refused":
        return [*wrong, *([] if outcome.code == 3 else ["a refused run does not exit with 3"])]
    if outcome.last.kind != "run.ended":
        return [*wrong, "the journal does not end with run.ended"]
    if EXIT_CODES[outcome.state] != outcome.code:
        wrong.append(f"{outcome.state} exits with {outcome.code}")
    left_out = {e.data["node"] for e in outcome.events if e.kind == "node.left-out"}
    nodes = [name for name in outcome.truth["nodes"] if name not in left_out]
    if outcome.state == "succeeded":
        wrong += _not_as_promised(outcome, nodes, TARGET)
        first_line = outcome.lines.partition("\n")[0]
        wrong += [f"{n} was left out and the first line hides it" for n in left_out
                  if n not in first_line]  # fmt: skip
    if outcome.state == "rolled_back":
        wrong += _not_as_promised(outcome, nodes, INSTALLED)
    if outcome.state in ("aborted", "failed", "refused", "ready"):
        made = [a["action"] for a in outcome.truth["actions"] if _is_ours(a)]
        wrong += [f"{outcome.state}, but {sorted(set(made))} were made"] if made else []
    if outcome.state in ("needs_person", "held"):
        if "octotui resume run-1" not in outcome.lines:
            wrong.append("the run waits and does not say how to go on")
        cluster = outcome.truth["cluster"]
        on = cluster["maintenance"] and not cluster["initial_maintenance"]
        first_line = outcome.lines.partition("\n")[0]
        if on and _did(outcome, "maintenance.on") and "maintenance mode is on" not in first_line:
            wrong.append("maintenance mode was left on and the first line hides it")
    return wrong


def _is_ours(action: dict[str, Any]) -> bool:
    by = str(action["detail"].get("by", ""))
    return action["action"] in CHANGES and not by.startswith(OTHERS)


def _did(outcome: Outcome, step: str) -> bool:
    return any(
        e.kind == "step.ended" and e.data["step"] == step and e.data["outcome"] == "done"
        for e in outcome.events
    )


def _not_as_promised(outcome: Outcome, nodes: Collection[str], version: str) -> list[str]:
    """What differs from a cluster of ``version`` that is otherwise as it was found."""
    truth, wrong = outcome.truth, []
    if truth["cluster"]["maintenance"] != truth["cluster"]["initial_maintenance"]:
        wrong.append("maintenance mode is not as it was found")
    if truth["database"]["version"] != version:
        wrong.append(f"{outcome.state}, but the database is {truth['database']['version']}")
    for name in nodes:
        node = truth["nodes"][name]
        wanted = {"version": version, "serving": True, "watchdog": "enabled"}
        wanted |= {"start_type": "automatic", "draining": False}
        for key, value in wanted.items():
            if node[key] != value:
                wrong.append(f"{outcome.state}, but {key} of {name} is {node[key]}")
    return wrong


def _left_behind(estate: PortEstate, outcome: Outcome) -> list[str]:
    """What a finished run leaves on nodes that it did not leave out; logs that it did not keep."""
    if outcome.state not in ("succeeded", "rolled_back"):
        return []
    left_out = {e.data["node"] for e in outcome.events if e.kind == "node.left-out"}
    wrong = []
    for name, machine in estate.machines.items():
        if name in left_out:
            continue
        wrong += [f"{path} was left on {name}" for path in machine.files]
        wrong += [f"{name} is still parked"] if machine.parked else []
        installed = any(
            event.kind == "step.ended"
            and event.data["step"].endswith((f".install@{name}", f".reinstall@{name}"))
            and event.data["outcome"] == "done"
            for event in outcome.events
        )
        excused = any(
            event.kind == "step.ended"
            and event.data["step"].endswith(f".log@{name}")
            and event.data.get("result", {}).get("problem")
            for event in outcome.events
        )
        kept = excused or list((estate.folder / "logs").glob(f"{name}-*msi*.log"))
        if installed and not kept:
            wrong.append(f"the installer's log of {name} was not kept")
    return wrong
