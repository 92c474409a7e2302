"""What the node grid says of each node: pure, a row a node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from octotui.tui.widgets.phases import goes_back
from octotui.tui.words import duration
from octotui.upgrade.phases import FINAL, ROLLING_BACK
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


_BACK: Final = ROLLING_BACK.name


def rows(
    view: RunView, now: float, sort: Sort = "state", text: str = "", *, alive: bool = True
) -> list[Row]:
    """Every node that the filter leaves, in order; the profile's order among equals.

    ``alive``: a process works on the run, so that what runs goes on.
    """
    steps, back = _by_node(view), goes_back(view)
    found = [_row(view, node, steps[node.name], now, back, alive) for node in view.nodes.values()]
    if text:
        found = [row for row in found if row.matches(text)]
    if sort == "state":
        found.sort(key=lambda row: _RANKS[row.style])
    elif sort == "name":
        found.sort(key=lambda row: natural(row.name))
    else:
        found.sort(key=lambda row: natural(row.version))
    return found


@lru_cache(maxsize=4096)
def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", text.casefold())
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts if part)


@dataclass(slots=True)
class _Steps:
    """The steps of a node that say what it does. ``left``: how many of ``count`` are to do.

    ``back``: some of them are of the way back.
    """

    running: StepView | None = None
    failed: StepView | None = None
    next: StepView | None = None
    left: int = 0
    count: int = 0
    back: bool = False


def _by_node(view: RunView) -> dict[str, _Steps]:
    """All of them in one pass: there are ten times as many steps as nodes, four times a second."""
    found = {name: _Steps() for name in view.nodes}
    for step in view.steps.values():
        # A cluster's step that failed for one node is that node's failure.
        steps = found.get(step.node or (str(step.error.get("node")) if step.error else ""))
        if steps is None:
            continue
        if step.phase == _BACK:
            if step.state == "pending":
                continue
            if not steps.back:
                # What did not end well before is what the way back is for.
                steps.back, steps.failed = True, None
        if step.node:
            steps.count += 1
        if step.state in ("done", "already"):
            continue
        if step.state == "pending":
            steps.next = steps.next or step
        elif step.state == "running":
            steps.running = step
        else:
            steps.failed = step
        steps.left += 1
    return found


def _row(view: RunView, node: NodeView, steps: _Steps, now: float, back: bool, alive: bool) -> Row:
    running, failed = steps.running, steps.failed
    service = {True: "serving", False: "stopped", None: "unknown"}[node.serving]
    time = ""
    if node.left_out:
        style, glyph, doing = "warn", "!", "left out"
    elif running and not alive:
        style, glyph, doing = "warn", "?", f"not known: {running.title}"
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
    elif back:
        style, glyph, doing = _on_the_way_back(view, node, steps)
    elif steps.count and not steps.left:
        style, glyph, doing = "good", "✓", "all steps done"
    else:
        style, glyph = "dim", "⋅"
        over = view.state in FINAL or view.outcome == "refused"
        doing = f"next: {steps.next.title}" if steps.next and not over else ""
    return Row(node.name, style, glyph, node.version, doing, time, service)


def _on_the_way_back(view: RunView, node: NodeView, steps: _Steps) -> tuple[str, str, str]:
    """Style, glyph and words of a node on which nothing runs and nothing failed then."""
    if view.state == "rolled_back":
        return "good", "✓", f"back at {node.version}" if steps.back else "as it was"
    return "dim", "⋅", "on the way back" if steps.back else "waits for the way back"


def _time(step: StepView, now: float) -> str:
    taken = duration(int(max(0.0, now - step.started))) if step.started is not None else ""
    return f"{taken} of ~{duration(step.expected)}" if step.expected > 1 else taken
