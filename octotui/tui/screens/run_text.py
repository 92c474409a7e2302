"""What the run's screen says in words, made from the situation alone."""

from __future__ import annotations

from textual.content import Content

from octotui.tui.situation import Situation
from octotui.tui.words import clock, duration, join, run_mark
from octotui.upgrade.phases import BY_NAME, WAITING
from octotui.view import RunView, StepView

#: No news for longer than this, seconds, and the line says how old what it shows is.
QUIET = 15.0


def run_head(situation: Situation, now: float, heard: float) -> Content:
    """Cluster, versions, where the run is, and whether it lives."""
    view = situation.view
    assert view is not None, "the run's screen has a run"
    glyph, word, style = run_mark(view.state)
    where = word
    if view.state in WAITING:
        where = f"{word} {'before' if view.state == 'held' else 'in'} {view.waiting_phase}"
    life, colour = _life(situation, now, heard)
    return Content.assemble(
        (f" {life} ", colour),
        (f"{view.cluster.partition('//')[2] or view.cluster} ", "bold"),
        f"{view.from_version} → {view.to_version}  ",
        (f"{glyph} {where.replace('_', ' ')}", style),
        f" {duration(max(0.0, (view.ended_at or now) - view.state_since))}",
    )


def _life(situation: Situation, now: float, heard: float) -> tuple[str, str]:
    view = situation.view
    if view is not None and view.outcome:
        return "○ ended", "$text-muted"
    if not situation.alive:
        return "✗ gone", "bold $error"
    if now - heard > QUIET:
        return f"● live, {duration(now - heard)} old", "$text-muted"
    return "● live", "$success"


def waiting_text(situation: Situation, now: float, room: int) -> Content:
    """What is waited for, why and since when, the longest first; what failed before that."""
    view = situation.view
    assert view is not None, "the run's screen has a run"
    lines = [_failed(step) for step in view.failed_steps()]
    if view.state in WAITING:
        lines.insert(0, _person(view, now))
    running = sorted(view.running_steps(), key=lambda step: step.started or now)
    waits = [step for step in running if step.waiting] + [s for s in running if not s.waiting]
    lines += [_running(step, now) for step in waits]
    if view.hold and view.state in BY_NAME:
        holds = ", ".join(phase.replace("_", " ") for phase in view.hold)
        lines.append(Content.assemble(("! ", "$warning"), f"will stop before {holds}"))
    if len(lines) > room:
        more = len(lines) - room + 1
        lines = [*lines[: room - 1], Content.styled(f"… and {more} more", "$text-muted")]
    return join(lines)


def _person(view: RunView, now: float) -> Content:
    since = f"since {clock(view.state_since)} ({duration(max(0.0, now - view.state_since))})"
    return Content.assemble(
        ("! waits for you ", "bold $warning"),
        f"{since}, with no time limit: ",
        ("d", "bold $accent"),
        " shows the choices",
    )


def _failed(step: StepView) -> Content:
    what = str(step.error.get("what", step.state))
    return Content.assemble(
        ("✗ FAILED ", "bold $error"), f"{step.node or 'cluster'}: {step.title}: {what}"
    )


def _running(step: StepView, now: float) -> Content:
    taken = duration(max(0.0, now - (step.started or now)))
    expected = f" of about {duration(step.expected)}" if step.expected > 1 else ""
    begin = Content.assemble(
        ("▶ ", "$accent"), f"{step.node or 'cluster'}: {step.title} {taken}{expected}"
    )
    if step.waiting:
        since = f", since {clock(step.waiting_since)}" if step.waiting_since else ""
        return begin + Content.assemble((" waits: ", "bold"), f"{step.waiting}{since}")
    return begin + Content(f": {step.progress}" if step.progress else "")
