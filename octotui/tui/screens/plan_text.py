"""What the plan's screen says, made from the view alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from textual.content import Content

from octotui.tui.screens.run_text import run_name, versions
from octotui.tui.shown_key import NONE_MOVED, shown_key
from octotui.tui.situation import Situation
from octotui.tui.words import FINDING_MARKS, duration, join, phase_names, run_mark, shorten
from octotui.upgrade.estimating import TAKES_TIME, expectation
from octotui.upgrade.phases import POINT_OF_NO_RETURN
from octotui.upgrade.plan import Measure, Plan
from octotui.upgrade.planned_step import longest_path, step_name
from octotui.view import NodeView, RunView, StepView

_ORDER = ("fail", "warn", "skip", "pass")

_WAIVED = ("!", "waived", "$warning")

#: Letters of what a check saw where it passed; those of many nodes name them all.
_EVIDENCE = 100

#: Columns from which on the steps have room for more than one time.
_ROOM_FOR_TIMES = 46

#: Before these phases the plan draws a line: what begins with them.
_BARS = {
    "installing": "the outage begins",
    POINT_OF_NO_RETURN: "point of no return",
    "joining": "the first node serves",
}


def plan_head(situation: Situation, now: float) -> Content:
    """Which cluster, from what to what, and how the checks came out."""
    view = situation.view
    assert view is not None, "the plan's screen has a run"
    glyph, word, style = run_mark(view.state)
    parts = [Content.assemble((f" {run_name(view)}", "bold"), versions(view, " "), "  ")]
    if not (situation.alive or view.outcome or situation.replayed):
        parts.append(Content.styled("✗ process gone: nobody works on it", "bold $error"))
    elif view.state == "preflight":
        since = duration(now - view.state_since)
        text = "reading facts, running checks" if view.started else "starting"
        parts.append(Content.assemble((f"{glyph} {text} {since}", style)))
    else:
        parts.append(Content.assemble((f"{glyph} {word}", style)))
    for (mark, _, colour), count in _counts(view).items():
        parts.append(Content.assemble((f"   {mark} {count}", colour)))
    return Content("").join(parts)


def checks_title(view: RunView) -> str:
    """How the checks came out, by glyph and word, the worst first."""
    words = [f"{mark} {count} {word}" for (mark, word, _), count in _counts(view).items()]
    # Three kinds and the name do not fit into half of 80 columns.
    return " ".join(words if len(words) > 2 else ["Checks", *words])


def _counts(view: RunView) -> Counter[tuple[str, str, str]]:
    """Findings by their mark, the worst first."""
    marks = [
        _mark(finding)
        for result in (name for name in _ORDER if name != "skip")
        for finding in view.findings
        if finding["result"] == result
    ]
    return Counter(marks)


def _mark(finding: Mapping[str, Any]) -> tuple[str, str, str]:
    """Glyph, word and style: what a person waived does not stop the run."""
    return _WAIVED if finding["waived"] else FINDING_MARKS[finding["result"]]


def findings_text(view: RunView) -> Content:
    """What wants attention in full, then what passed, by the check's name."""
    lines: list[Content] = []
    told = {finding["evidence"] for finding in view.findings}
    for node in view.nodes.values():
        if node.problem and node.problem not in told:
            lines.append(Content.assemble(("✗ ", "bold $error"), f"{node.name}: {node.problem}"))
        elif not view.findings:
            lines.append(_asked(node))
    for result in _ORDER[:3]:
        for finding in view.findings:
            if finding["result"] == result:
                lines += _finding(finding)
    passed: dict[str, list[str]] = {}
    for finding in view.findings:
        if finding["result"] == "pass":
            passed.setdefault(finding["check"], []).append(finding["evidence"])
    glyph, _, style = FINDING_MARKS["pass"]
    for check, evidence in passed.items():
        others = len(evidence) - 1
        more = f" ({others} more node{'s' if others > 1 else ''} alike)" if others else ""
        lines.append(
            Content.assemble(
                (f"{glyph} ", style),
                check,
                (f"  {shorten(evidence[0], _EVIDENCE)}{more}", "dim"),
            )
        )
    return join(lines or [Content.styled("No finding yet.", "dim")])


def _asked(node: NodeView) -> Content:
    """A node while facts are read."""
    if not node.version:
        return Content.assemble(("▶ ", "$accent"), f"{node.name} is asked")
    return Content.assemble(("✓ ", "$success"), f"{node.name} has {node.version}")


def _finding(finding: Mapping[str, Any]) -> list[Content]:
    glyph, word, style = _mark(finding)
    where = f" {finding['node']}" if finding["node"] else ""
    lines = [
        Content.assemble((f"{glyph} {word} ", style), (finding["check"], "bold"), where),
        Content(f"  {finding['evidence']}"),
    ]
    if finding["fix"]:
        lines.append(Content.assemble(("  do: ", "bold"), finding["fix"]))
    return lines


def steps_text(view: RunView, width: int) -> Content:
    """The plan's phases and steps with their expected durations, and where the outage lies.

    Where ``width`` columns leave room, with what was measured last and at worst.
    """
    if not view.plan:
        return Content.styled("Made when all checks are done.", "dim")
    plan = Plan.from_json(view.plan)
    lines = [
        _phase(phase, longest_path(plan.steps_of(phase)), steps) for phase, steps in _by_phase(view)
    ]
    bars = {phase: index for index, (phase, _) in enumerate(_by_phase(view))}
    for phase, bar in reversed(_BARS.items()):
        if phase in bars:
            lines.insert(bars[phase], Content.styled(f"━━ {bar} ━━", "bold $warning"))
    for node in view.plan.get("nodes", ()):
        if not node["running"]:
            text = f"{node['name']} stays stopped, as found"
            lines.append(Content.assemble(("! ", "$warning"), text))
    if view.plan.get("installed") is None:
        text = "no way back after installing"
        lines.append(Content.assemble(("! ", "bold $warning"), text))
    wide = width >= _ROOM_FOR_TIMES
    lines += [Content(""), *_steps_head(plan, wide)]
    for phase, steps in _by_phase(view):
        lines.append(Content.styled(phase.replace("_", " "), "bold"))
        for title, group in _groups(steps):
            times = _times(group, plan.measures, wide)
            lines.append(Content.assemble(*times, title, _where(group, len(view.nodes))))
    return join(lines)


def _phase(name: str, seconds: float, steps: list[StepView]) -> Content:
    """A phase in a line: how long its longest chain of steps takes, and how many there are."""
    about = duration(seconds) if seconds > 5 else ""
    count = f"{len(steps)} step{'s' if len(steps) > 1 else ''}"
    return Content.assemble(
        (f"{name.replace('_', ' '):<12}", "bold $accent"),
        f"{about:>6}  ",
        (f"{count:>9}", "dim"),
    )


def _by_phase(view: RunView) -> Iterator[tuple[str, list[StepView]]]:
    phases: dict[str, list[StepView]] = {}
    for step in view.steps.values():
        phases.setdefault(step.phase, []).append(step)
    yield from phases.items()


def _groups(steps: list[StepView]) -> Iterator[tuple[str, list[StepView]]]:
    groups: dict[str, list[StepView]] = {}
    for step in steps:
        groups.setdefault(step.title, []).append(step)
    yield from groups.items()


def _steps_head(plan: Plan, wide: bool) -> Iterator[Content]:
    """What the marks and the columns mean, where anything was measured."""
    head = ("Steps", "bold $accent")
    if not plan.measures:
        yield Content.assemble(head)
        return
    median = "median of past runs" if wide else "measured"
    yield Content.assemble(head, f"   ● {median}  ", ("○ typical", "dim"))
    if wide:
        yield Content.styled(f"{'expected':>9}{'last':>8}{'worst':>8}", "dim")


def _times(
    steps: list[StepView], measures: Mapping[str, Measure], wide: bool
) -> Iterator[tuple[str, str]]:
    """How long a step is expected to take, and whether that was measured, ahead of its title: what

    is cut off at the right is the title.
    """
    measure = measures.get(step_name(steps[0].id))
    seconds = max(step.expected for step in steps)
    long = seconds > TAKES_TIME
    about = duration(seconds) if long else ""
    if not measures:
        yield f"{about:>7}  ", ""
        return
    mark = ("●" if measure else "○") if long else " "
    yield f"  {mark}{about:>6}", "" if measure else "dim"
    if wide:
        past = [duration(measure.last), duration(measure.worst)] if measure and long else ["", ""]
        yield "".join(f"{time:>8}" for time in past), "dim"
    yield "  ", ""


def _where(steps: list[StepView], count: int) -> tuple[str, str]:
    nodes = [step.node for step in steps if step.node]
    if 1 < count == len(nodes):
        where = "  every node"
    elif len(nodes) > 3:
        where = f"  {len(nodes)} nodes"
    else:
        where = f"  {' '.join(nodes)}" if nodes else ""
    return where, "dim"


def expected_text(view: RunView) -> Content:
    """How long the upgrade is expected to take, and what that rests on; empty once approved."""
    if not view.plan or view.state != "ready":
        return Content("")
    return Content(f"Expected: {expectation(Plan.from_json(view.plan), duration)}.")


def approval_text(
    situation: Situation, expected: Content, moved: Mapping[str, str] = NONE_MOVED
) -> Content:
    """What approving leads to, with the line ``expected`` first; or what is waited for.

    ``moved``: as for ``shown_key``.
    """
    view = situation.view
    assert view is not None, "the plan's screen has a run"
    if situation.replayed:
        return Content("")
    if view.state == "preflight":
        text = "Only looking: nothing is changed before you approve."
        if not situation.alive:
            text = "The run's process is gone before the plan was made. Nothing was changed."
        return Content.styled(text, "dim")
    if not view.plan or view.state != "ready":
        return Content("")
    lines = [expected]
    if situation.alive:
        lines.append(_approving(view, shown_key("run.approve", moved)))
    else:
        text = "Nobody carries it out now: take it up first."
        lines.append(Content.assemble((text, "bold"), " Facts are read again then."))
    return join(lines)


def _approving(view: RunView, key: str) -> Content:
    """What the key begins, where the run stops by itself, and how far there is a way back."""
    holds = phase_names(view.hold)
    stops = f"It stops and asks before {holds}." if holds else "It goes to the end by itself."
    back = "Until then the old version can be put back."
    if view.plan.get("installed") is None:
        back = "There is no way back once a package is installed."
    first = view.plan.get("first_node", "")
    return Content.assemble(
        (key, "bold $accent"),
        (" approves: ", "bold"),
        "packages are put on every node; then maintenance mode, drain, stop, install; "
        f"{first} upgrades the database once. {back} {stops}",
    )
