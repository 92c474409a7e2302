"""What the report's screen says, made from the view alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.content import Content

from octotui.report.markdown import SET_BACK
from octotui.report.node_times import times_of_run
from octotui.tui.refusals import waivable
from octotui.tui.screens.plan_text import findings_text
from octotui.tui.screens.run_text import run_name, versions
from octotui.tui.screens.times_text import drawn
from octotui.tui.shown_key import NONE_MOVED, shown_key
from octotui.tui.words import SERVING_MARKS, STEP_MARKS, clock, duration, is_late, join, run_mark
from octotui.upgrade.phases import BY_NAME
from octotui.view import RunView


def report_head(view: RunView) -> Content:
    glyph, word, style = run_mark(view.outcome or view.state)
    took = ""
    if view.started is not None and view.ended_at is not None:
        took = f" after {duration(int(view.ended_at - view.started))}"
    name = run_name(view) or f"run {view.run}"
    return Content.assemble(
        (f" {name}", "bold"), versions(view, " "), "  ", (f"{glyph} {word}", style), took
    )


def report_text(
    view: RunView, path: str, width: int, moved: Mapping[str, str] = NONE_MOVED
) -> Content:
    """The whole report; ``path`` is where it lies as a file, ``width`` that of its picture.

    ``moved``: as for ``shown_key``.
    """
    lines: list[Content] = []
    glyph, _, style = run_mark(view.outcome or view.state)
    first, rest = (view.lines or [view.state.replace("_", " ")])[0], view.lines[1:]
    lines.append(Content.styled(f"{glyph} {first}", style))
    lines += [Content(line) for line in rest]
    if view.outcome == "refused" and (names := waivable(view)):
        lines.append(
            Content.assemble(
                (shown_key("run.waive", moved), "bold $accent"),
                (f" goes on without {' or '.join(names)}", "bold"),
                ". It says first what that means, and nothing changes before you approve.",
            )
        )
    lines.append(Content(""))
    if view.plan and view.maintenance_on is not None:
        lines += _clocks(view)
        lines.append(Content(""))
    if view.set_back:
        lines += [Content.assemble(("! ", "$warning"), SET_BACK), Content("")]
    if by_time := times_of_run(view):
        lines.append(Content.styled("Nodes by time", "bold $accent"))
        lines += [drawn(by_time, width, clock), Content("")]
    if view.nodes:
        lines += _nodes(view)
        lines.append(Content(""))
    if phases := list(_phases(view)):
        lines += [*phases, Content("")]
    if view.commands:
        lines.append(Content.styled("What people decided", "bold $accent"))
        for command in view.commands:
            what = f"{command['command']} {command['argument']}".strip()
            lines.append(Content(f"  {command['by']}: {what}: {command['answer']}"))
        lines.append(Content(""))
    if view.resumed:
        times = ", ".join(clock(at) for at in view.resumed)
        lines += [Content(f"Taken up by a new process at {times}."), Content("")]
    for problem in view.problems:
        lines.append(Content.assemble(("! ", "bold $warning"), f"plugin: {problem}"))
    if view.findings:
        lines.append(Content.styled("Checks", "bold $accent"))
        lines += [findings_text(view), Content("")]
    lines.append(Content.styled(f"Run {view.run}. As a file: {path}", "dim"))
    return join(lines)


def _clocks(view: RunView) -> Iterator[Content]:
    clocks = view.clocks(view.ended_at or view.state_since)
    estimate = view.plan.get("estimate", {})
    yield Content.styled(f"{'':<36}{'took':>9}{'expected':>11}", "dim")
    for title, seconds, key in (
        ("outage, until the first node served", clocks.outage, "outage_seconds"),
        ("until all nodes served", clocks.all_up, "all_up_seconds"),
        ("maintenance mode", clocks.maintenance, "maintenance_seconds"),
    ):
        # Whole seconds, as the clocks of the run's screen show them.
        took = duration(int(seconds)) if seconds is not None else "none"
        expected = duration(estimate.get(key, 0.0))
        yield Content.assemble(f"{title:<36}", (f"{took:>9}", "bold"), f"{expected:>11}")


def _nodes(view: RunView) -> Iterator[Content]:
    yield Content.styled("Nodes", "bold $accent")
    for node in view.nodes.values():
        if node.left_out:
            mark = ("! left out, stopped", "bold $warning")
        else:
            mark = SERVING_MARKS[node.serving]
        yield Content.assemble(f"  {node.name:<16} {node.version or '?':<16} ", mark)


def _phases(view: RunView) -> Iterator[Content]:
    """Every phase that was entered: how long it took, and steps that did not go as planned."""
    for phase in BY_NAME:
        steps = [s for s in view.steps.values() if s.phase == phase and s.started is not None]
        if not steps:
            continue
        begun = min(s.started for s in steps if s.started is not None)
        ended = [s.ended for s in steps if s.ended is not None]
        took = duration(max(ended) - begun) if ended else "?"
        yield Content.assemble(
            (f"{phase.replace('_', ' '):<14}", "bold $accent"),
            f"{took:>8}  {len(steps)} step{'s' if len(steps) > 1 else ''}",
        )
        for step in steps:
            taken = (step.ended or begun) - (step.started or begun)
            late = step.expected > 5 and is_late(taken, step.expected)
            if step.state in ("done", "already") and step.attempt == 1 and not late:
                continue
            glyph, word, style = STEP_MARKS[step.state]
            why = f": {step.error['what']}" if step.error else ""
            times = f" of {duration(step.expected)} expected" if late else ""
            attempts = f", {step.attempt} attempts" if step.attempt > 1 else ""
            yield Content.assemble(
                (f"  {glyph} {word} ", style),
                f"{step.node or 'cluster'}: {step.title}  {duration(taken)}{times}{attempts}{why}",
            )
