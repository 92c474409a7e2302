"""What a person has to know to decide, made from the situation alone."""

from __future__ import annotations

from textual.content import Content

from octotui.tui.situation import Situation
from octotui.tui.words import clock, duration, join, phase_title
from octotui.upgrade.phases import POINT_OF_NO_RETURN
from octotui.view import RunView, StepView

#: So many lines of a failed step's output are shown; the log has the rest.
TAIL = 6

#: What Octopus asks for when a script of theirs fails.
_BUNDLE = "make a support bundle for Octopus' support: journal, logs, facts, the server's report."


def decision_title(situation: Situation) -> str:
    view = situation.view
    assert view is not None, "there is a run to decide about"
    if view.state == "held":
        return f"! Held before {view.waiting_phase.replace('_', ' ')}"
    if view.state == "needs_person":
        return f"✗ {view.waiting_phase.replace('_', ' ').capitalize()} did not end well"
    return "✗ The run's process is gone"


def happened_text(situation: Situation, last_words: str) -> Content:
    """What failed, where, with the last lines that matter; or why the run stands still."""
    view = situation.view
    assert view is not None, "there is a run to decide about"
    lines: list[Content] = []
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
    # On a small screen the beginning has to be enough.
    for key, begin in (("what", ""), ("next", "do: "), ("left", ""), ("meaning", "")):
        if error.get(key):
            lines.append(Content.assemble("  ", (begin, "bold"), f"{error[key]}."))
        if key == "next" and step.id.startswith("migrating.database@"):
            lines.append(Content.assemble(("  do: ", "bold"), _BUNDLE))
    for line in list(error.get("tail", ()))[-TAIL:]:
        lines.append(Content.assemble(("  │ ", "$error"), (line, "dim")))
    return lines


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
    parts = [f"{', '.join(names)} {state}" for state, names in groups.items()]
    lines = [Content.assemble(("Cluster: ", "bold"), "; ".join(parts) + ".")]
    clocks = view.clocks(now)
    facts = []
    if clocks.outage is not None:
        over = view.first_serving is not None
        facts.append(f"outage {'was' if over else 'so far'} {duration(clocks.outage)}")
    if view.maintenance_on is not None and view.maintenance_off is None:
        facts.append(f"maintenance mode on since {clock(view.maintenance_on)}")
    facts.append("database upgraded" if view.database_upgraded else _database(view))
    lines.append(Content(f"  {'; '.join(facts)}."))
    if view.database_upgraded:
        text = "  The way back would be a restore of the backup, by hand and by your decision."
        lines.append(Content.styled(text, "dim"))
    return join(lines)


def _database(view: RunView) -> str:
    begun = any(s.id.startswith("migrating.database@") and s.attempt for s in view.steps.values())
    return "database upgrade begun, not ended well" if begun else "database unchanged"
