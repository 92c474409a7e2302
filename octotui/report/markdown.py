"""The report of a run as Markdown: the outcome and what is not as it was found come first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from octotui.report.node_times import times_of_run
from octotui.report.node_times_text import picture
from octotui.upgrade.estimating import basis
from octotui.upgrade.phases import BY_NAME
from octotui.upgrade.plan import Plan
from octotui.view import RunView, StepView

#: Columns of what is drawn.
_WIDTH = 100

SET_BACK: Final = (
    "The clock of this machine was set back during the run: times and durations are not to be "
    "relied on."
)


def render(view: RunView) -> str:
    """The whole report. Times are UTC."""
    return "\n".join(_parts(view)) + "\n"


def _parts(view: RunView) -> Iterator[str]:
    yield f"# {_headline(view)}"
    yield ""
    yield from (f"- {line}" for line in view.lines[1:])
    yield ""
    versions = f"{view.from_version or 'unknown'} to {view.to_version or 'no version chosen'}"
    yield f"Run {view.run} of {view.cluster}, {versions}."
    if view.started is not None:
        ended = _time(view.ended_at) if view.ended_at else "still running"
        yield f"Began {_time(view.started)}, ended {ended}."
    yield ""
    yield from _clocks(view)
    if view.set_back:
        yield f"{SET_BACK}\n"
    yield from _nodes(view)
    yield from _times(view)
    yield from _steps(view)
    yield from _findings(view)
    if view.problems:
        yield "## plugins\n"
        yield from (f"- {problem}" for problem in view.problems)
        yield ""
    if view.resumed:
        times = ", ".join(_time(at) for at in view.resumed)
        yield f"Taken up by a new process at {times}.\n"
    if view.commands:
        yield "## commands\n"
        for command in view.commands:
            text = f"{command['command']} {command['argument']}".strip()
            yield f"- {command['by']}: {text}: {command['answer']}"
        yield ""


def _headline(view: RunView) -> str:
    """The run's own first line: the outcome, who was left out, what is not as it was found."""
    if view.lines:
        return view.lines[0]
    return (view.outcome or view.state).replace("_", " ")


def _clocks(view: RunView) -> Iterator[str]:
    clocks = view.clocks(view.ended_at or view.state_since)
    expected = view.plan.get("estimate", {})
    rows = (
        ("outage (last stop to first node serving)", clocks.outage, "outage_seconds"),
        ("all up (last stop to all serving)", clocks.all_up, "all_up_seconds"),
        ("maintenance mode", clocks.maintenance, "maintenance_seconds"),
    )
    yield "| clock | seconds | expected |"
    yield "|---|---:|---:|"
    for title, seconds, key in rows:
        yield f"| {title} | {_seconds(seconds)} | {_seconds(expected.get(key))} |"
    yield ""
    if view.plan:
        yield f"What was expected rests on {basis(Plan.from_json(view.plan))}.\n"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


def _nodes(view: RunView) -> Iterator[str]:
    yield "| node | version | serving |"
    yield "|---|---|---|"
    words = {True: "yes", False: "no", None: "unknown"}
    for node in view.nodes.values():
        left = " (left out)" if node.left_out else ""
        yield f"| {node.name}{left} | {node.version or 'unknown'} | {words[node.serving]} |"
    yield ""


def _times(view: RunView) -> Iterator[str]:
    """Which node was down when; in columns, so that it stays a picture."""
    if times := times_of_run(view):
        yield "## nodes by time (UTC)\n"
        yield "```text"
        for line in picture(times, _WIDTH, lambda at: _time(at)[11:19]):
            yield "".join(text for text, _ in line).rstrip()
        yield "```\n"


def _steps(view: RunView) -> Iterator[str]:
    for phase in BY_NAME:
        steps = [s for s in view.steps.values() if s.phase == phase and s.started is not None]
        if not steps:
            continue
        yield f"## {phase.replace('_', ' ')}\n"
        for step in steps:
            yield _step(step)
        yield ""


def _step(step: StepView) -> str:
    took = ""
    if step.started is not None and step.ended is not None:
        took = f", {step.ended - step.started:.1f} s"
    attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
    what = f": {step.error['what']}" if step.error else ""
    return f"- {step.node or 'cluster'}: {step.title}: {step.state}{took}{attempt}{what}"


def _findings(view: RunView) -> Iterator[str]:
    if view.findings:
        yield "## checks\n"
        for finding in view.findings:
            where = f"{finding['node']}: " if finding["node"] else ""
            fix = f" {finding['fix']}" if finding["fix"] and finding["result"] != "pass" else ""
            waived = " (waived)" if finding["waived"] else ""
            text = f"{where}{finding['evidence'].rstrip('.')}.{fix}{waived}"
            yield f"- {finding['result']}: {finding['check']}: {text}"
        yield ""


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
