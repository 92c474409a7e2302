"""Which node was in which state when, of a run; or will be, of a plan. Pure, no text.

What counts is whether a node serves. It counts as down from the proof that it stopped to the proof
that it serves, as the outage is measured. What the journal does not tell is unknown, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from octotui.upgrade.phases import FINAL, WAITING
from octotui.upgrade.plan import Plan
from octotui.upgrade.planned_step import longest_path, schedule, step_name
from octotui.view import RunView, StepView

NodeState: TypeAlias = Literal[
    "up", "down", "installing", "database", "failed", "left out", "unknown"
]

#: Names of stretches between phases: a person is waited for; no process works on the run.
WAITS = "waits"
GONE = "gone"

#: What a node is during some of its steps.
_WORK: Mapping[str, NodeState] = {
    "install": "installing",
    "reinstall": "installing",
    "database": "database",
}

#: How a step ended that succeeded.
_WELL = ("done", "already")

#: Steps that tell whether a node serves.
_TELLING = frozenset(("stop", "start", "serving", *_WORK))


@dataclass(frozen=True, slots=True)
class Span:
    """One state of a node, or one phase of the run, from ``begin`` to ``end``."""

    state: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class NodeTimes:
    """A node's states, one after the other without a gap."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A person steered the run."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Times:
    """The picture's data. Times are epoch seconds, or seconds from the approval of a plan.

    ``idle``: stretches in which no step ran.
    """

    begin: float
    end: float
    phases: tuple[Span, ...]
    nodes: tuple[NodeTimes, ...]
    decisions: tuple[Decision, ...]
    idle: tuple[tuple[float, float], ...]


def times_of_run(view: RunView) -> Times | None:
    """From the approval to the end, or as far as the run has come.

    None where no node was stopped, and where the clock was set back: its times do not tell what
    came first.
    """
    acts = list(_acts(view))
    if view.set_back or not any(act.name == "stop" and act.state in _WELL for act in acts):
        return None
    phases = _entered(view)
    begin = phases[0].begin
    end = max(view.ended_at or view.at, begin + 1.0)
    of_nodes = _by_node(acts)
    planned = view.plan.get("nodes", ())
    found = {node["name"]: _found(node.get("running", True)) for node in planned}
    nodes = []
    for node in view.nodes.values():
        changes = _changes(of_nodes.get(node.name, []), begin, found.get(node.name, "unknown"))
        # One that serves goes on serving.
        if node.left_out_at is not None and changes[-1][1] != "up":
            changes.append((node.left_out_at, "left out"))
        nodes.append(NodeTimes(node.name, _spans(changes, begin, end)))
    return Times(
        begin,
        end,
        phases,
        tuple(nodes),
        tuple(_decisions(view, begin)),
        _idle(acts, begin, end),
    )


def times_of_plan(plan: Plan, hold: Sequence[str] = ()) -> Times:
    """As the plan's durations foretell it, in seconds from the approval.

    ``hold``: phases the run is to stop before; how long is not known, and takes no time here.
    """
    phases, acts, at = [], [], 0.0
    for phase in dict.fromkeys(step.phase for step in plan.steps):
        steps = plan.steps_of(phase)
        times = schedule(steps)
        for step in steps:
            begin, end = times[step.id]
            acts.append(_Act(step.node, _name(step.id), "done", at + begin, at + end))
        phases.append(Span(phase, at, at + longest_path(steps)))
        at = phases[-1].end
    end = max(at, 1.0)
    of_nodes = _by_node(acts)
    nodes = [
        NodeTimes(
            node.name,
            _spans(_changes(of_nodes.get(node.name, []), 0.0, _found(node.running)), 0.0, end),
        )
        for node in plan.nodes
    ]
    stops = [Decision(p.begin, "stops and asks") for p in phases if p.state in hold]
    return Times(0.0, end, tuple(phases), tuple(nodes), tuple(stops), _idle(acts, 0.0, end))


@dataclass(frozen=True, slots=True)
class _Act:
    """An attempt at a step. Of one that is ``running`` still nobody told how it ended, and when."""

    node: str | None
    name: str
    state: str
    begin: float
    end: float


def _name(step_id: str) -> str:
    """``install`` of ``joining.install@N2``."""
    return step_name(step_id).partition(".")[2]


def _acts(view: RunView) -> Iterator[_Act]:
    """All attempts, those of a step that was begun again too; of a node in their order."""
    attempts: list[tuple[float, StepView]] = [
        (step.started, step)
        for step in (*view.earlier, *view.steps.values())
        if step.started is not None
    ]
    last = view.ended_at or view.at
    for begin, step in sorted(attempts, key=_begin):
        # One that nobody saw the end of is known until its process was gone.
        seen = next((gone for gone, back in view.gaps if back > begin), last)
        end = step.ended if step.ended is not None else max(begin, seen)
        state = step.state if step.ended is not None else "running"
        yield _Act(step.node, _name(step.id), state, begin, end)


def _begin(attempt: tuple[float, StepView]) -> float:
    return attempt[0]


def _by_node(acts: Iterable[_Act]) -> dict[str, list[_Act]]:
    found: dict[str, list[_Act]] = {}
    for act in acts:
        if act.node is not None:
            found.setdefault(act.node, []).append(act)
    return found


def _found(running: bool) -> NodeState:
    return "up" if running else "down"


def _changes(acts: Iterable[_Act], begin: float, state: NodeState) -> list[tuple[float, NodeState]]:
    """What attempts at the steps of one node made of it, and when; ``state`` at the beginning."""
    changes = [(begin, state)]
    for act in acts:
        if act.name in _TELLING:
            meanwhile, state = _made_of_it(act, state)
            changes += [(act.begin, meanwhile), (act.end, state)]
    return changes


def _made_of_it(act: _Act, state: NodeState) -> tuple[NodeState, NodeState]:
    """What a node in that state is during an attempt, and after it."""
    well = act.state in _WELL
    meanwhile: NodeState = state
    after: NodeState = "failed"
    if act.name == "stop":
        meanwhile = state if well else "unknown"  # it may have stopped at any time
        after = "down" if well else "unknown"
    elif act.name == "serving":
        if state in ("failed", "unknown") and act.state != "already":
            meanwhile = "down"  # it is asked, and does not serve yet
        after = "up" if well else after
    else:
        # What was so already was not done now.
        meanwhile = _WORK.get(act.name, state) if act.state != "already" else state
        if well:
            after = "up" if meanwhile == "up" else "down"
    return meanwhile, after if act.state != "running" else "unknown"


def _spans(
    changes: Iterable[tuple[float, NodeState]], begin: float, end: float
) -> tuple[Span, ...]:
    """From changes to stretches without gaps; what lasts no time is left out."""
    in_order = sorted(changes, key=lambda change: change[0])
    spans: list[Span] = []
    for (at, state), (until, _) in zip(in_order, [*in_order[1:], (end, "")], strict=True):
        at, until = max(at, begin), min(until, end)
        if spans and (spans[-1].state == state):
            spans[-1] = Span(state, spans[-1].begin, max(until, spans[-1].end))
        elif until > at:
            spans.append(Span(state, at, until))
    return tuple(spans)


def _entered(view: RunView) -> tuple[Span, ...]:
    """The run's phases and its waits, from the approval on."""
    entered = [(at, state) for at, state in view.entered if state not in ("preflight", "ready")]
    end = view.ended_at or view.at
    spans: list[Span] = []
    for (at, state), (until, _) in zip(entered, [*entered[1:], (end, "")], strict=True):
        if state in FINAL:
            continue
        name = WAITS if state in WAITING else state
        for gone, back in view.gaps:
            if at <= gone and back <= until:
                spans += [Span(name, at, gone), Span(GONE, gone, back)]
                at = back
        spans.append(Span(name, at, max(at, until)))
    return tuple(spans)


def _decisions(view: RunView, begin: float) -> Iterator[Decision]:
    """What people ordered after the approval, as far as the run took it."""
    for command in view.commands:
        if command["at"] > begin and not str(command["answer"]).startswith("refused: "):
            what = f"{command['by']}: {command['command']} {command['argument']}"
            yield Decision(command["at"], what.rstrip())


def _idle(acts: Iterable[_Act], begin: float, end: float) -> tuple[tuple[float, float], ...]:
    """Stretches in which no step ran."""
    idle, at = [], begin
    for act in sorted(acts, key=lambda act: act.begin):
        if act.begin > at:
            idle.append((at, act.begin))
        at = max(at, act.end)
    return tuple([*idle, (at, end)] if end > at else idle)
