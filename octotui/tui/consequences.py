"""What a command leaves behind, in the words with which it is confirmed."""

from __future__ import annotations

from octotui.tui.possible import leavable_nodes
from octotui.tui.words import duration, phase_title
from octotui.upgrade.phases import BY_NAME, HOLDABLE, POINT_OF_NO_RETURN, sequence
from octotui.view import RunView

_NO_RETURN = (
    "The database upgrade begins: it is the point of no return. From then on only a restore of "
    "the backup leads back."
)


def nothing(view: RunView) -> str:
    return ""


def approve(view: RunView) -> str:
    estimate = view.plan.get("estimate", {})
    outage = duration(estimate.get("outage_seconds", 0.0))
    return f"The upgrade begins. Expected outage: {outage}."


def release(view: RunView) -> str:
    if view.waiting_phase == POINT_OF_NO_RETURN:
        return _NO_RETURN
    return f"The run goes on with {phase_title(view.waiting_phase)}."


def release_all(view: RunView) -> str:
    holds = ", ".join(phase.replace("_", " ") for phase in view.hold)
    past = ", past the point of no return," if POINT_OF_NO_RETURN in view.hold else ""
    return f"The run does not stop before {holds} any more: it goes on{past} to its end by itself."


def every(view: RunView) -> str:
    return "all"


def retry(view: RunView) -> str:
    steps = [step for step in view.failed_steps() if step.phase == view.waiting_phase]
    if not steps:
        return f"The run goes on with {phase_title(view.waiting_phase)}."
    names = ", ".join(f"{step.title} ({step.node or 'cluster'})" for step in steps[:3])
    expected = duration(max(step.expected for step in steps))
    return f"Does again: {names}; about {expected}. What is done is not repeated."


def leave_out(view: RunView) -> str:
    nodes = leavable_nodes(view)
    node = nodes[0] if nodes else "The node"
    others = len([n for n in view.nodes.values() if not n.left_out]) - 1
    return (
        f"{node} stays as it is, {_stands(view, node)}. The other {others} go on. "
        f"It has to be at {view.to_version} before it is started again."
    )


def failed_node(view: RunView) -> str:
    return next(iter(leavable_nodes(view)), "")


def hold(view: RunView) -> str:
    ahead = next(iter(phases_ahead(view)), "")
    return (
        f"What runs now ends first; then the run stops before {phase_title(ahead)} and waits, "
        f"with no time limit.{_meanwhile(ahead)}"
    )


def hold_before(phase: str) -> str:
    """What users see while the run waits before a phase that a person chose."""
    return _meanwhile(phase).strip() or "Every node serves meanwhile."


def phases_ahead(view: RunView) -> tuple[str, ...]:
    """The phases that the run can still stop before."""
    phases = sequence(len(view.nodes) > 1)
    if view.state not in phases:
        return ()
    ahead = phases[phases.index(view.state) + 1 :]
    return tuple(name for name in ahead if name in HOLDABLE)


def _meanwhile(phase: str) -> str:
    """What users see while the run waits before this phase."""
    if phase in ("installing", "migrating", "starting"):
        return " The cluster is down meanwhile."
    if phase == "joining":
        return " The first node serves meanwhile, the others are down."
    if phase == "stopping":
        return " Every node is drained and in maintenance mode meanwhile, and serves."
    return ""


def rollback(view: RunView) -> str:
    text = (
        f"{view.from_version} comes back on every node that was changed, everything else as it "
        "was found. The database is not touched"
    )
    begun = any(s.id.startswith("migrating.database@") and s.attempt for s in view.steps.values())
    if begun:
        text += ", and must be proved unchanged first"
    running = [step.title for step in view.running_steps()]
    if running and view.state in BY_NAME:
        text += f". What runs now ends first: {', '.join(sorted(set(running)))}"
    return text + "."


def rollback_word(view: RunView) -> str:
    return "roll back"


def abort(view: RunView) -> str:
    return "The run ends for good. Nothing was changed on any node."


def resume(view: RunView) -> str:
    if view.state in ("ready", "preflight"):
        return "Facts are read and checks made again; nothing changes before you approve."
    return (
        f"The run goes on with {phase_title(view.waiting_phase or view.state)}: what was done "
        "is looked at, what failed is done again."
    )


def _stands(view: RunView, node: str) -> str:
    seen = view.nodes.get(node)
    if seen is None:
        return "whatever that is"
    how = "serving" if seen.serving else "stopped and kept from starting"
    return f"{how}, drained, at {seen.version or 'an unknown version'}"
