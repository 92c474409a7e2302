"""What a command leaves behind, in the words with which it is confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from octotui.run.journal import Command
from octotui.tui.ahead import holds_ahead, next_phase
from octotui.tui.possible import leavable_nodes
from octotui.tui.refusals import refusals
from octotui.tui.words import date_and_time, duration, phase_names, phase_title
from octotui.upgrade.phases import BY_NAME, POINT_OF_NO_RETURN
from octotui.view import RunView, StepView

_NO_RETURN = (
    "The database upgrade begins: it is the point of no return. Once it has changed the database, "
    "only a restore of the backup leads back. Where it fails and the database is proved unchanged, "
    "the old version can still be put back without one."
)

#: Of more nodes than this a sentence names the first only.
_NAMED = 6

#: The word that leads past the point of no return.
_PAST = "migrate"


def nothing(view: RunView) -> str:
    return ""


def approve(view: RunView) -> str:
    estimate = view.plan.get("estimate", {})
    outage = duration(estimate.get("outage_seconds", 0.0))
    return f"The upgrade begins. Expected outage: {outage}."


def no_return_word(view: RunView) -> str:
    """What has to be typed before a run that is held goes past the point of no return."""
    return _PAST if view.state == "held" and view.waiting_phase == POINT_OF_NO_RETURN else ""


def dropped_hold_word(view: RunView) -> str:
    """The same where a hold that is ahead is what keeps the run from it."""
    return _PAST if POINT_OF_NO_RETURN in holds_ahead(view) else ""


def release(view: RunView) -> str:
    if view.waiting_phase == POINT_OF_NO_RETURN:
        return _NO_RETURN
    return f"The run goes on with {phase_title(view.waiting_phase)}."


def release_all(view: RunView) -> str:
    holds = holds_ahead(view)
    past = ", past the point of no return," if POINT_OF_NO_RETURN in holds else ""
    return (
        f"The run does not stop before {phase_names(holds)} any more: it goes on{past} to its end "
        "by itself."
    )


def every(view: RunView) -> str:
    return "all"


def retry(view: RunView) -> str:
    steps = [step for step in view.failed_steps() if step.phase == view.waiting_phase]
    if not steps:
        return f"The run goes on with {phase_title(view.waiting_phase)}."
    names = ", ".join(f"{step.title} ({step.node or 'cluster'})" for step in steps[:3])
    expected = duration(max(step.expected for step in steps))
    return f"Does again: {names}; about {expected}. What is done is not repeated."


def leave_out_one(view: RunView) -> str:
    """As long as nobody said which."""
    return f"One node that failed stays as it is: {_either(leavable_nodes(view))}."


def leave_out(view: RunView, node: str) -> str:
    """Leaving out that node; the others that failed are not left out by it."""
    failed = [name for name in leavable_nodes(view) if name != node]
    others = [name for name, seen in view.nodes.items() if not (seen.left_out or name == node)]
    sentences = [f"{node} stays as it is, {_stands(view, node)}"]
    if whole := len(others) - len(failed):
        sentences.append(f"The other {whole} go on" if whole > 1 else "The other goes on")
    if failed:
        again = "is tried again" if len(failed) == 1 else "are tried again"
        sentences.append(f"{_all(failed)}, which failed too, {again}")
    seen = view.nodes.get(node)
    if seen is not None and seen.version == view.to_version:
        sentences.append(f"{node} is at {seen.version}: put right, it may be started")
    else:
        sentences.append(f"{node} has to be at {view.to_version} before it is started")
    return ". ".join(sentences) + "."


def _all(names: list[str]) -> str:
    """Names in a sentence; of many the first."""
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _either(names: list[str]) -> str:
    return _all(names).replace(" and ", " or ")


def hold(view: RunView) -> str:
    ahead = next_phase(view)
    return (
        f"What runs now ends first; then the run stops before {phase_title(ahead)} and waits, "
        f"with no time limit.{_meanwhile(ahead)}"
    )


def hold_before(phase: str) -> str:
    """What users see while the run waits before a phase that a person chose."""
    return _meanwhile(phase).strip() or "Every node serves meanwhile."


def _meanwhile(phase: str) -> str:
    """What users see while the run waits before this phase."""
    if phase in ("installing", "migrating", "starting"):
        return " The cluster is down meanwhile."
    if phase == "joining":
        return " The first node serves meanwhile, the others are down."
    if phase == "stopping":
        return (
            " Every node still answers meanwhile, but is drained and in maintenance mode: "
            "no deployment begins."
        )
    return ""


def rollback(view: RunView) -> str:
    text = (
        f"{view.from_version} comes back on every node that was changed, everything else as it "
        "was found. The database is not touched"
    )
    if any(step.attempt and not told_unchanged(step) for step in database_steps(view)):
        text += ", and must be proved unchanged first"
    running = [step.title for step in view.running_steps()]
    if running and view.state in BY_NAME:
        text += f". What runs now ends first: {', '.join(sorted(set(running)))}"
    return text + "."


def database_steps(view: RunView) -> list[StepView]:
    """The steps that upgrade the database: one, or none in a plan that was never made."""
    return [step for step in view.steps.values() if step.id.startswith("migrating.database@")]


def told_unchanged(step: StepView) -> bool:
    """Whether the failed upgrade of the database said that it changed nothing."""
    return str(step.error.get("left", "")).startswith("The database is unchanged")


def rollback_word(view: RunView) -> str:
    return "roll back"


def waive(view: RunView, names: tuple[str, ...]) -> str:
    """Beginning a new run that these checks do not refuse."""
    left = [
        refusal.check
        for refusal in refusals(view)
        if refusal.mandatory or refusal.check not in names
    ]
    text = (
        f"A new run begins that is not refused by {_either(list(names))}: it makes the checks "
        "again and waits for approval."
    )
    if left:
        text += f" It is still refused unless {_all(left)} {'pass' if len(left) > 1 else 'passes'}."
    return text


def abort(view: RunView) -> str:
    return "The run ends for good. Nothing was changed on any node."


def resume(view: RunView) -> str:
    if view.state in ("ready", "preflight"):
        return "Facts are read and checks made again; nothing changes before you approve."
    if no_return_word(view):
        return f"The run goes on after its hold. {_NO_RETURN}"
    return (
        f"The run goes on with {phase_title(view.waiting_phase or view.state)}: what was done "
        "is looked at, what failed is done again."
    )


def comes_first(waiting: Sequence[Command]) -> str:
    """What people asked for while nobody carried the run out; empty where they did not."""
    if not waiting:
        return ""
    asked = ", then ".join(f"{each} ({each.by}, {date_and_time(each.at)})" for each in waiting)
    return f"! Before that comes what was asked for while nobody carried the run out: {asked}."


def _stands(view: RunView, node: str) -> str:
    seen = view.nodes.get(node)
    if seen is None:
        return "whatever that is"
    how = "serving" if seen.serving else "stopped and kept from starting"
    return f"{how}, drained, at {seen.version or 'an unknown version'}"
