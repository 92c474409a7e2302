"""What a person has to know to decide, made from the situation alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.content import Content

from octotui.tui.consequences import database_steps, told_unchanged
from octotui.tui.situation import Situation
from octotui.tui.words import clock, duration, join, phase_title
from octotui.upgrade.phases import POINT_OF_NO_RETURN
from octotui.view import RunView, StepView

#: So many lines of a failed step's output are shown; the log has the rest.
TAIL = 6

#: More nodes than this that stand alike are counted, not named.
NAMED = 6

#: What Octopus asks for when a script of theirs fails.
_BUNDLE = "make a support bundle for Octopus' support: journal, logs, facts, the server's report"

#: With this a step begins to tell what the program that failed said at last.
_LAST_LINES = "Its last lines: "


def decision_title(situation: Situation) -> str:
    view = situation.view
    assert view is not None, "there is a run to decide about"
    phase = (view.waiting_phase or view.state).replace("_", " ")
    said = {"held": f"held before {phase}", "needs_person": f"{phase} did not end well"}
    waits = said.get(view.state, f"it was in {phase}")
    if gone(situation) and not view.outcome:
        return f"✗ Process gone: {waits}"
    return f"{'!' if view.state == 'held' else '✗'} {waits[:1].upper()}{waits[1:]}"


def gone(situation: Situation) -> bool:
    """Whether nobody carries the run out, though it has not ended for good."""
    return not (situation.alive or situation.replayed)


def wait_text(situation: Situation) -> str:
    """What comes of deciding nothing."""
    if gone(situation):
        return "Nothing is decided; nothing goes on until somebody takes the run up."
    return "Nothing is decided; the run waits with no time limit."


def happened_text(situation: Situation, last_words: str) -> Content:
    """What failed, where, with the last lines that matter; or why the run stands still."""
    view = situation.view
    assert view is not None, "there is a run to decide about"
    lines: list[Content] = []
    if view.state == "needs_person" and gone(situation):
        lines.append(Content("There is no process to retry it: taking the run up does it again."))
    before = []
    for step in view.failed_steps():
        if view.state == "needs_person" and step.phase != view.waiting_phase:
            before.append(_earlier(step))
        else:
            lines += _failure(step)
    lines += before
    lines += [Content.assemble(("! ", "bold $warning"), problem) for problem in view.problems[-3:]]
    if view.state == "held":
        lines.append(
            Content(f"As asked, the run stopped before {phase_title(view.waiting_phase)}.")
        )
        if view.waiting_phase == POINT_OF_NO_RETURN:
            lines.append(Content.styled("This is the point of no return.", "bold $warning"))
    elif view.state != "needs_person":
        lines.append(Content(f"It was in {phase_title(view.state)}; its journal has all it did."))
    if not situation.alive and not view.outcome and last_words:
        lines.append(Content(last_words))
    return join(lines)


def _failure(step: StepView) -> list[Content]:
    error = step.error
    tries = f", attempt {step.attempt}" if step.attempt > 1 else ""
    took = ""
    if step.started is not None and step.ended is not None:
        took = f" after {duration(step.ended - step.started)}"
    lines = [
        Content.assemble(
            ("✗ FAILED ", "bold $error"),
            (f"{step.node or 'cluster'}: {step.title}", "bold"),
            f"{took}{tries}",
        )
    ]
    database = step.id.startswith("migrating.database@")
    meaning, last = _last_lines(error)
    # On a small screen the beginning has to be enough: the cause, then what to do about it.
    lines += _sentence("", error.get("what"))
    lines += [Content.assemble(("  │ ", "$error"), (line, "dim")) for line in last]
    lines += _sentence("", meaning)
    lines += _sentence("do: ", error.get("next"))
    if database:
        lines += _sentence("do: ", _BUNDLE)
    else:  # how the database was left is told with the cluster
        lines += _sentence("", error.get("left"))
    return lines


def _sentence(begin: str, text: object) -> list[Content]:
    return [Content.assemble("  ", (begin, "bold"), f"{text}.")] if text else []


def _last_lines(error: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What a failure means, and the last lines of what failed: the cause is among them."""
    meaning, tail = str(error.get("meaning", "")), list(error.get("tail", ()))
    if meaning.startswith(_LAST_LINES) and not tail:
        tail, meaning = meaning.removeprefix(_LAST_LINES).split(" | "), ""
    return meaning, tail[-TAIL:]


def _earlier(step: StepView) -> Content:
    """What failed in a phase that the run has left since, such as before it was rolled back."""
    what = str(step.error.get("what", step.state))
    return Content.assemble(
        ("✗ before that ", "$error"), f"{step.node or 'cluster'}: {step.title}: {what}."
    )


def stands_text(view: RunView, now: float) -> Content:
    """The state of the cluster: versions, who serves, maintenance, outage, the database."""
    groups: dict[str, list[str]] = {}
    for node in view.nodes.values():
        state = {True: "serving", False: "stopped", None: "unknown"}[node.serving]
        if node.left_out:
            state = "left out, stopped"
        groups.setdefault(f"{state} at {node.version or '?'}", []).append(node.name)
    parts = [f"{_these(names)} {state}" for state, names in groups.items()]
    lines = [Content.assemble(("Cluster: ", "bold"), "; ".join(parts) + ".")]
    clocks = view.clocks(now)
    facts = []
    if clocks.outage is not None:
        over = view.first_serving is not None
        # Whole seconds, as the clock beside it shows them.
        facts.append(f"outage {'was' if over else 'so far'} {duration(int(clocks.outage))}")
    if view.maintenance_on is not None and view.maintenance_off is None:
        facts.append(f"maintenance mode on since {clock(view.maintenance_on)}")
    facts.append("database upgraded" if view.database_upgraded else _database(view))
    lines.append(Content(f"  {'; '.join(facts)}."))
    if view.database_upgraded:
        text = "  Only a restore of the backup leads back, by hand and by your decision."
        lines.append(Content.styled(text, "dim"))
    return join(lines)


def _these(nodes: list[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= NAMED else f"{len(nodes)} nodes"


def _database(view: RunView) -> str:
    """How the database was left, as far as the run came to know it."""
    for step in database_steps(view):
        if told_unchanged(step) or (step.state == "failed" and step.error.get("left")):
            left = str(step.error["left"])
            return left[:1].lower() + left[1:]
        if step.attempt:
            return "the database upgrade began; how it ended is not known"
    return "database unchanged"
