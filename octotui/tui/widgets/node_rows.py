"""What the node grid says of each node: pure, a row a node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from octotui.tui.words import duration
from octotui.view import NodeView, RunView, StepView

Sort: TypeAlias = Literal["state", "name", "version"]

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
    running = {step.node: step for step in view.running_steps() if step.node}
    failed = {step.node: step for step in view.failed_steps() if step.node}
    ended = _ended(view.steps.values())
    found = [
        _row(view, node, running.get(node.name), failed.get(node.name), ended, now)
        for node in view.nodes.values()
    ]
    if text:
        found = [row for row in found if row.matches(text)]
    if sort == "state":
        found.sort(key=lambda row: _RANKS[row.style])
    elif sort == "name":
        found.sort(key=lambda row: row.name)
    else:
        found.sort(key=lambda row: row.version)
    return found


def _ended(steps: Iterable[StepView]) -> dict[str | None, int]:
    """Nodes with the number of their steps that are still to do."""
    left: dict[str | None, int] = {}
    for step in steps:
        if step.phase != "rolling_back" or step.state != "pending":
            left[step.node] = left.get(step.node, 0) + (step.state not in ("done", "already"))
    return left


def _row(
    view: RunView,
    node: NodeView,
    running: StepView | None,
    failed: StepView | None,
    left: dict[str | None, int],
    now: float,
) -> Row:
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
    elif view.steps and left.get(node.name) == 0:
        style, glyph, doing = "good", "✓", "all steps done"
    else:
        style, glyph, doing = "dim", "⋅", _rest(view, node.name)
    return Row(node.name, style, glyph, node.version, doing, time, service)


def _time(step: StepView, now: float) -> str:
    taken = duration(int(max(0.0, now - step.started))) if step.started is not None else ""
    return f"{taken} of ~{duration(step.expected)}" if step.expected > 1 else taken


def _rest(view: RunView, node: str) -> str:
    """What comes next on a node that does nothing now."""
    for step in view.steps.values():
        if step.node == node and step.state == "pending" and step.phase != "rolling_back":
            return f"next: {step.title}"
    return ""
