"""What a run waits for and works at, in words: made from the situation alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.content import Content

from octotui.tui.ahead import holds_ahead
from octotui.tui.shown_key import NONE_MOVED, shown_key
from octotui.tui.situation import Situation
from octotui.tui.words import clock, duration, join, minutes, phase_names
from octotui.upgrade.phases import ROLLING_BACK, WAITING
from octotui.view import RunView, StepView

#: More nodes than this are counted, not named.
NAMED = 3


def waiting_text(
    situation: Situation, now: float, room: int, moved: Mapping[str, str] = NONE_MOVED
) -> Content:
    """What is waited for, why and since when, the longest first; what failed before that.

    ``room`` lines at most. Nodes that do the same share a line. ``moved``: as for ``shown_key``.
    """
    view = situation.view
    assert view is not None, "the run's screen has a run"
    gone = not (situation.alive or situation.replayed or view.outcome)
    lines: list[Content] = [_gone(moved)] if gone else []
    if view.state in WAITING and not gone:  # without a process nothing waits
        lines.append(_person(situation, view, now, moved))
    failed = [_failed(step) for step in view.failed_steps()]
    back = view.state == ROLLING_BACK.name  # what failed before is history now
    lines += [] if back else failed
    for steps in _alike(view.running_steps(), now):
        if len(lines) > room:
            break
        lines += _cut_short(steps) if gone else _running(steps, now)
    lines += failed if back else []
    if holds := holds_ahead(view):
        lines.append(Content.assemble(("! ", "$warning"), f"will stop before {phase_names(holds)}"))
    if len(lines) > room:
        lines = [*lines[: room - 1], Content.styled("… and more, see the nodes", "dim")]
    return join(lines)


def _gone(moved: Mapping[str, str]) -> Content:
    return Content.assemble(
        ("✗ its process is gone ", "bold $error"),
        "and nothing goes on; ",
        (shown_key("run.resume", moved), "bold $accent"),
        " takes it up, ",
        (shown_key("decision.open", moved), "bold $accent"),
        " says more",
    )


def _person(situation: Situation, view: RunView, now: float, moved: Mapping[str, str]) -> Content:
    waited = minutes(max(0.0, now - view.state_since))
    since = f"since {clock(view.state_since)} ({waited})"
    if situation.replayed:
        return Content.assemble(("! waited for a person ", "bold $warning"), since)
    return Content.assemble(
        ("! waits for you ", "bold $warning"),
        f"{since}, no time limit: ",
        (shown_key("decision.open", moved), "bold $accent"),
        " shows the choices",
    )


def _failed(step: StepView) -> Content:
    what = str(step.error.get("what", step.state))
    return Content.assemble(
        ("✗ FAILED ", "bold $error"), f"{step.node or 'cluster'}: {step.title}: {what}"
    )


def _alike(running: Iterable[StepView], now: float) -> list[list[StepView]]:
    """Steps of one title that wait for one thing, the waiting and the longest first."""
    groups: dict[tuple[str, str], list[StepView]] = {}
    for step in sorted(running, key=lambda step: step.started or now):
        groups.setdefault((step.title, step.waiting), []).append(step)
    return sorted(groups.values(), key=lambda steps: not steps[0].waiting)


def _running(steps: list[StepView], now: float) -> list[Content]:
    """What is done, how long of how long; below it what it waits for, or how far it is."""
    longest = steps[0]
    taken = duration(int(max(0.0, now - (longest.started or now))))
    expected = f" of about {duration(longest.expected)}" if longest.expected > 1 else ""
    most = " at most" if len(steps) > NAMED else ""
    glyph = "● " if longest.waiting else "▶ "
    lines = [
        Content.assemble(
            (glyph, "$accent"), f"{_where(steps)}: {longest.title} {taken}{expected}{most}"
        )
    ]
    if longest.waiting:
        at = min((s.waiting_since for s in steps if s.waiting_since is not None), default=None)
        since = f" since {clock(at)}" if at is not None else ""
        lines.append(Content.assemble((f"  waits{since}: ", "bold"), longest.waiting))
    elif longest.progress and len(steps) == 1:
        lines.append(Content(f"  {longest.progress}"))
    return lines


def _cut_short(steps: list[StepView]) -> list[Content]:
    begun = f", begun {clock(steps[0].started)}" if steps[0].started is not None else ""
    text = f"{_where(steps)}: {steps[0].title}{begun}: how far it came is looked at first"
    return [Content.assemble(("? ", "$warning"), text)]


def _where(steps: list[StepView]) -> str:
    if len(steps) > NAMED:
        return f"{len(steps)} nodes"
    return ", ".join(step.node or "cluster" for step in steps)
