"""What the node grid says of each node: pure, a row a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from octotui.tui.words import duration
from octotui.view import NodeView, RunView, StepView

Sort: TypeAlias = Literal["state", "name", "version"]

#: The phase in which nothing is next that the plan has.
_ROLLING_BACK: Final = "rolling_back"

#: Failed and running first, then those that wait for their turn.
_RANKS: Final = {"bad": 0, "warn": 1, "busy": 2, "dim": 3, "plain": 4, "good": 5}


@dataclass(frozen=True, slots=True)
class Row:
    """A node. ``style`` is its state's; ``glyph`` and the words say the same without colour.

    ``doing`` is what happens there and what it waits for, ``time`` how long of what is expected.
    """

    name: str
    style: str
    glyph: str
    version: str
    doing: str
    time: str
    service: str

    def matches(self, text: str) -> bool:
        """Whether a filter's text is in what is shown, small and capital letters alike."""
        shown = f"{self.name} {self.version} {self.doing} {self.service}"
        return text.casefold() in shown.casefold()


def rows(view: RunView, now: float, sort: Sort = "state", text: str = "") -> list[Row]:
    """Every node that the filter leaves, in order; the profile's order among equals."""
    steps = _by_node(view)
    found = [_row(view, node, steps[node.name], now) for node in view.nodes.values()]
    if text:
        found = [row for row in found if row.matches(text)]
    if sort == "state":
        found.sort(key=lambda row: _RANKS[row.style])
    elif sort == "name":
        found.sort(key=lambda row: row.name)
    else:
        found.sort(key=lambda row: row.version)
    return found


@dataclass(slots=True)
class _Steps:
    """The steps of a node that say what it does. ``left``: how many of ``count`` are to do."""

    running: StepView | None = None
    failed: StepView | None = None
    next: StepView | None = None
    left: int = 0
    count: int = 0


def _by_node(view: RunView) -> dict[str, _Steps]:
    """All of them in one pass: there are ten times as many steps as nodes, four times a second."""
    found = {name: _Steps() for name in view.nodes}
    back = _ROLLING_BACK in (view.state, view.waiting_phase)
    for step in view.steps.values():
        steps = found.get(step.node or "")
        if steps is None or (step.state == "pending" and step.phase == _ROLLING_BACK):
            continue
        steps.count += 1
        if step.state in ("done", "already"):
            continue
        if step.state == "pending":
            steps.next = steps.next or (None if back else step)
        elif step.state == "running":
            steps.running = step
        else:
            steps.failed = step
        steps.left += 1
    return found


def _row(view: RunView, node: NodeView, steps: _Steps, now: float) -> Row:
    running, failed = steps.running, steps.failed
    service = {True: "serving", False: "stopped", None: "unknown"}[node.serving]
    time = ""
    if node.left_out:
        style, glyph, doing = "warn", "!", "left out"
    elif running:
        style, glyph = "busy", "▶"
        doing = running.title
        if running.attempt > 1:
            doing += f", attempt {running.attempt}"
        if running.waiting:
            glyph, doing = "●", f"{doing}, waiting: {running.waiting}"
        elif running.progress:
            doing = f"{doing}: {running.progress}"
        time = _time(running, now)
    elif failed:
        style, glyph = "bad", "✗"
        doing = f"{failed.state}: {failed.title}: {failed.error.get('what', '')}".rstrip(": ")
    elif node.problem:
        style, glyph, doing = "bad", "✗", f"problem: {node.problem}"
    elif steps.count and not steps.left:
        style, glyph, doing = "good", "✓", "all steps done"
    else:
        style, glyph = "dim", "⋅"
        doing = f"next: {steps.next.title}" if steps.next else ""
        if _ROLLING_BACK in (view.state, view.waiting_phase):
            doing = "waits for the way back"
    return Row(node.name, style, glyph, node.version, doing, time, service)


def _time(step: StepView, now: float) -> str:
    taken = duration(int(max(0.0, now - step.started))) if step.started is not None else ""
    return f"{taken} of ~{duration(step.expected)}" if step.expected > 1 else taken
