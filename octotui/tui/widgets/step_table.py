"""Nodes and steps as a table: pure. A column a step's name, a row a node, one for the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from octotui.tui.words import duration
from octotui.upgrade.phases import BY_NAME, POINT_OF_NO_RETURN, WAITING
from octotui.view import RunView, StepView

#: The row of steps that are no node's.
CLUSTER: Final = "cluster"
#: Glyph, word and style of a step's state.
MARKS: Final[Mapping[str, tuple[str, str, str]]] = {
    "pending": ("⋅", "to do", "dim"),
    "running": ("▶", "running", "busy"),
    "done": ("✓", "done", "good"),
    "already": ("✓", "was so already", "good"),
    "failed": ("✗", "failed", "bad"),
    "interrupted": ("✗", "interrupted", "bad"),
}
#: A step that waits is told from one that works.
WAITS: Final = ("●", "waiting", "busy")
#: A step that ran when its process went.
UNKNOWN: Final = ("?", "not known how it stands", "warn")


@dataclass(frozen=True, slots=True)
class Column:
    """Steps of one name. ``x``: where its glyph stands, in cells from the first column."""

    key: str
    phase: str
    x: int


@dataclass(frozen=True, slots=True)
class Head:
    """A phase over its columns, from ``x`` on. ``no_return``: it lies behind that point."""

    phase: str
    x: int
    width: int
    no_return: bool


@dataclass(slots=True)
class Table:
    """Where everything stands. ``steps``: a step's id by row and column. ``names``: the width of

    the rows' names.
    """

    columns: list[Column] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    steps: dict[tuple[str, str], str] = field(default_factory=dict)
    width: int = 0
    names: int = 1
    no_return: int | None = None


def lay_out(view: RunView) -> Table:
    """The table of a run: phases in their order, columns in the plan's."""
    table, backs_out = Table(), _begun(view.steps.values())
    by_phase: dict[str, list[str]] = {}
    for step in view.steps.values():
        # A way back that was not gone is no part of the table.
        if step.phase == "rolling_back" and not backs_out:
            continue
        key = step.id.partition("@")[0]
        names = by_phase.setdefault(step.phase, [])
        if key not in names:
            names.append(key)
        table.steps[step.node or CLUSTER, key] = step.id
    x = 0
    for phase in (name for name in BY_NAME if name in by_phase):
        if phase == POINT_OF_NO_RETURN:
            table.no_return = x
            x += 2
        keys = by_phase[phase]
        width = max(len(phase) + 1, 2 * len(keys))
        table.heads.append(Head(phase, x, width, phase == POINT_OF_NO_RETURN))
        table.columns += [Column(key, phase, x + 2 * n) for n, key in enumerate(keys)]
        x += width
    table.width = x
    used = {row for row, _ in table.steps}
    table.rows = [row for row in (CLUSTER, *view.nodes) if row in used]
    table.names = min(20, max(map(len, table.rows), default=0)) + 1
    return table


def _begun(steps: Iterable[StepView]) -> bool:
    return any(step.phase == "rolling_back" and step.state != "pending" for step in steps)


def telling(table: Table, view: RunView) -> tuple[int, int] | None:
    """Row and column of what a person wants to see now: what failed, else what runs, else where

    the run has come.
    """
    where = _where(view)
    columns = {column.key: n for n, column in enumerate(table.columns)}
    for step in (*view.failed_steps(), *view.running_steps(), *view.steps.values()):
        key = step.id.partition("@")[0]
        if step.phase == where and key in columns:
            return table.rows.index(step.node or CLUSTER), columns[key]
    return None


def is_telling(step: StepView | None, view: RunView) -> bool:
    """Whether this is still such a step."""
    return (
        step is not None
        and step.phase == _where(view)
        and step.state in ("running", "failed", "interrupted")
    )


def _where(view: RunView) -> str:
    return view.waiting_phase if view.state in WAITING else view.state


def mark(step: StepView, alive: bool = True) -> tuple[str, str, str]:
    """Glyph, word and style of a step as it is now. ``alive``: a process works on the run."""
    if step.state == "running" and not alive:
        return UNKNOWN
    return WAITS if step.state == "running" and step.waiting else MARKS[step.state]


def describe(step: StepView, now: float, alive: bool = True) -> str:
    """A step in one line: where, what, its state, how long of how long, what it waits for."""
    _, word, _ = mark(step, alive)
    words = f"{step.node or CLUSTER}: {step.title}: {word}"
    if step.attempt > 1:
        words += f", attempt {step.attempt}"
    if step.state == "running" and not alive:
        return words
    if step.started is not None:
        until = step.ended if step.ended is not None else now
        words += f" {duration(int(max(0.0, until - step.started)))}"
    if step.expected > 1 and step.state in ("pending", "running"):
        about = f"about {duration(step.expected)}"
        words += f" of {about}" if step.started is not None else f", {about} expected"
    why = step.waiting or step.progress or str(step.error.get("what", ""))
    return f"{words}: {why}" if why else words
