"""The fold from events to what is shown. Screen, plain lines and report share it.

Pure: no clock, no files. Times are those of the events; what depends on now takes it as argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.api.harmless import harmless
from octotui.run.journal import MISFIT
from octotui.upgrade.phases import FINAL

StepState: TypeAlias = Literal["pending", "running", "done", "already", "failed", "interrupted"]


#: A clock that is so much behind the last event was set back, seconds: less is being adjusted.
_SET_BACK: Final = 1.0


@dataclass(slots=True)
class StepView:
    """One step. ``waiting`` is the reason it waits for now, since ``waiting_since``.

    ``log``: where the installer's log of a step that ended well lies on the node.
    """

    id: str
    phase: str
    title: str
    node: str | None
    expected: float = 0.0
    state: StepState = "pending"
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    waiting: str = ""
    waiting_since: float | None = None
    progress: str = ""
    error: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""


@dataclass(slots=True)
class NodeView:
    """One node. ``doing`` is its step under way, ``serving`` whether it serves, None: unknown.

    ``left_out_at``: when the run went on without it. ``asked``: when its facts were read last,
    epoch seconds.
    """

    name: str
    version: str = ""
    doing: str = ""
    serving: bool | None = None
    left_out_at: float | None = None
    problem: str = ""
    asked: float | None = None

    @property
    def left_out(self) -> bool:
        return self.left_out_at is not None


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds of the run's three clocks; None before they begin.

    ``outage``: last stop, from which on no node serves, to the first node serving; ``all_up``: to
    all serving; ``maintenance``: on to off. They stand once their end has come.
    """

    outage: float | None
    all_up: float | None
    maintenance: float | None


@dataclass(slots=True)
class RunView:
    """A run as its events tell it.

    ``gaps``: from the last event to when another process took it up. ``entered``: its states, each
    with when it was entered. ``earlier``: steps that were begun again, as they stood. ``at``: when
    the last event came. ``changed``: a phase that changes the cluster
    was entered. ``hold``: phases it stops before. ``holder``: the run that held the cluster where
    this one was refused for that. ``facts``: what each node said of itself when it
    was last asked. ``set_back``: the clock was, so that its times do not agree with each other.
    """

    run: str = ""
    cluster: str = ""
    state: str = "preflight"
    state_since: float = 0.0
    waiting_phase: str = ""
    profile: str = ""
    changed: bool = False
    hold: tuple[str, ...] = ()
    from_version: str = ""
    to_version: str = ""
    started: float | None = None
    ended_at: float | None = None
    pid: int | None = None
    gaps: list[tuple[float, float]] = field(default_factory=list)
    entered: list[tuple[float, str]] = field(default_factory=list)
    earlier: list[StepView] = field(default_factory=list)
    nodes: dict[str, NodeView] = field(default_factory=dict)
    steps: dict[str, StepView] = field(default_factory=dict)
    findings: list[Mapping[str, Any]] = field(default_factory=list)
    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    commands: list[Mapping[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    outcome: str = ""
    holder: str = ""
    exit_code: int | None = None
    lines: list[str] = field(default_factory=list)
    last_stop: float | None = None
    first_serving: float | None = None
    all_serving: float | None = None
    maintenance_on: float | None = None
    maintenance_off: float | None = None
    at: float = 0.0
    set_back: bool = False
    seq: int = 0

    def apply(self, event: Event) -> None:
        """Takes one event into account; unknown kinds are ignored, so that old viewers go on."""
        self.seq = event.seq
        self.run = event.run
        handler = _HANDLERS.get(event.kind)
        if handler:
            handler(self, event, harmless(event.data))
        self.set_back = self.set_back or event.at < self.at - _SET_BACK
        self.at = event.at

    def copy(self) -> RunView:
        """One that goes on by itself. What events brought is shared: nobody changes that."""
        return replace(
            self,
            nodes={name: replace(node) for name, node in self.nodes.items()},
            steps={name: replace(step) for name, step in self.steps.items()},
            facts=dict(self.facts),
            gaps=list(self.gaps),
            entered=list(self.entered),
            earlier=list(self.earlier),
            findings=list(self.findings),
            commands=list(self.commands),
            problems=list(self.problems),
            lines=list(self.lines),
        )

    @property
    def over(self) -> bool:
        """Whether the run has come to an end that it does not leave."""
        return self.state in FINAL or self.outcome == "refused"

    def running_steps(self) -> list[StepView]:
        return [step for step in self.steps.values() if step.state == "running"]

    def failed_steps(self) -> list[StepView]:
        """Steps whose last attempt did not end well, of nodes that are not left out.

        Not those that died with their process: whether they failed is looked at first.
        """
        return [
            step
            for step in self.steps.values()
            if step.state in ("failed", "interrupted")
            and step.ended is not None
            and not (step.node and self.nodes[step.node].left_out)
        ]

    @property
    def resumed(self) -> list[float]:
        """When other processes took the run up."""
        return [until for _, until in self.gaps]

    @property
    def database_upgraded(self) -> bool:
        """Whether the one database upgrade has ended well: then only a restore leads back."""
        return any(
            step.id.startswith("migrating.database@") and step.state in ("done", "already")
            for step in self.steps.values()
        )

    def clocks(self, now: float) -> Clocks:
        return Clocks(
            outage=_span(self.last_stop, self.first_serving, self.ended_at or now),
            all_up=_span(self.last_stop, self.all_serving, self.ended_at or now),
            maintenance=_span(self.maintenance_on, self.maintenance_off, self.ended_at or now),
        )


class NotUnderstood(OctotuiError):
    """An event that does not fit what came before it: the journal is damaged, or a newer one's."""

    def __init__(self, event: Event) -> None:
        super().__init__(
            f"event {event.seq} of run {event.run} ({event.kind}) cannot be understood",
            meaning="The journal is damaged, or a newer octotui wrote it",
            next_step=f"octotui bundle {event.run} saves what can still be read of it",
        )


def take(view: RunView, event: Event) -> None:
    """Takes one event into account. Raises NotUnderstood; nothing is to be taken in after that."""
    try:
        view.apply(event)
    except MISFIT as error:
        raise NotUnderstood(event) from error


def fold(events: Iterable[Event]) -> RunView:
    """The view after all of these events. Raises NotUnderstood."""
    view = RunView()
    for event in events:
        take(view, event)
    return view


def _span(begin: float | None, end: float | None, now: float) -> float | None:
    if begin is None:
        return None
    return max(0.0, (end if end is not None else now) - begin)


def _run_started(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.started = event.at
    view.state_since = event.at
    view.cluster = data["cluster"]
    view.pid = data["pid"]
    view.profile = data.get("profile", "")
    view.hold = tuple(data.get("hold", ()))
    view.nodes = {name: NodeView(name) for name in data["nodes"]}


def _run_resumed(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.gaps.append((view.at, event.at))
    view.pid = data["pid"]
    view.hold = tuple(data.get("hold", view.hold))
    view.outcome = view.holder = ""
    view.exit_code = view.ended_at = None
    view.lines = []


def _state(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.state = data["to"]
    view.state_since = event.at
    view.entered.append((event.at, view.state))
    view.waiting_phase = data["waiting_phase"]
    view.changed = view.changed or data.get("changed", False)
    if data["to"] == "preflight":
        view.findings = []
    for step in view.running_steps():
        _cut_off(view, step)


def _cut_off(view: RunView, step: StepView) -> None:
    """A phase is left only when its steps have ended: one that seems to run died with its process.

    It has no end: nobody saw it.
    """
    step.state = "interrupted"
    step.waiting = step.progress = ""
    if step.node:
        view.nodes[step.node].doing = ""


def _cluster_facts(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.from_version = data["version"]


def _node_facts(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    node = view.nodes[data["node"]]
    view.facts[node.name] = data
    node.version = data["version"]
    node.problem = ""
    node.asked = event.at
    node.serving = any(s["state"] == "running" for s in data["services"]["services"])


def _facts_problem(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    if node := data.get("node"):
        view.nodes[node].problem = data["problem"]


def _finding(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.findings.append(data)


def _plan(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.plan = data
    view.from_version = data["from_version"]
    view.to_version = data["to_version"]
    view.steps = {
        step["id"]: StepView(
            step["id"], step["phase"], step["title"], step["node"], step["seconds"]
        )
        for step in data["steps"]
    }


def _step_started(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    step = view.steps.setdefault(
        data["step"],
        StepView(
            data["step"], data["phase"], data["title"], data["node"], data["expected_seconds"]
        ),
    )
    if step.started is not None:
        view.earlier.append(replace(step))
    step.state = "running"
    step.attempt = data["attempt"]
    step.started = event.at
    step.ended = None
    step.waiting = step.progress = ""
    step.error = {}
    if step.node:
        view.nodes[step.node].doing = step.title


def _step_waiting(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    step = view.steps[data["step"]]
    step.waiting = data["reason"]
    step.waiting_since = event.at


def _step_progress(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    done, total = data["done"], data["total"]
    share = f" {done / total:.0%}" if done is not None and total else ""
    view.steps[data["step"]].progress = f"{data['text']}{share}"


def _step_ended(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    step = view.steps[data["step"]]
    step.state = data["outcome"]
    step.ended = event.at
    step.waiting = step.progress = ""
    step.error = data.get("error", {})
    step.log = str(data.get("result", {}).get("log", ""))
    if step.node:
        view.nodes[step.node].doing = ""
    if data["outcome"] in ("done", "already"):
        _note_clocks(view, event, step.phase, step.id.partition("@")[0], step.node)


def _note_clocks(view: RunView, event: Event, phase: str, name: str, node: str | None) -> None:
    """What a step that ended well means for the nodes and the three clocks."""
    what = name.removeprefix(f"{phase}.")
    if what == "stop" and node:
        view.nodes[node].serving = False
        if not any(other.serving for other in view.nodes.values()):
            view.last_stop = event.at
    elif what in ("install", "reinstall") and node:
        back = phase == "rolling_back"
        view.nodes[node].version = view.from_version if back else view.to_version
    elif what == "serving" and node:
        view.nodes[node].serving = True
        if view.last_stop is not None:
            view.first_serving = view.first_serving or event.at
            _note_all_serving(view)
    elif name == "maintenance.on":
        view.maintenance_on = view.maintenance_on or event.at
    elif what == "maintenance" and view.maintenance_on is not None:
        # Where users are let in early, a later step finds it off.
        view.maintenance_off = view.maintenance_off or event.at


def _note_all_serving(view: RunView) -> None:
    """All serve since the last of them does, also where that is known by leaving another out.

    Nodes that were found stopped are left so.
    """
    at_rest = {node["name"] for node in view.plan.get("nodes", ()) if not node.get("running", True)}
    if all(n.serving or n.left_out or n.name in at_rest for n in view.nodes.values()):
        served = (
            step.ended
            for step in view.steps.values()
            if ".serving@" in step.id and step.state in ("done", "already")
        )
        view.all_serving = max(filter(None, served), default=view.all_serving)


def _left_out(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.nodes[data["node"]].left_out_at = event.at
    if view.first_serving is not None:
        _note_all_serving(view)


def _command(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.commands.append({**data, "at": event.at})
    view.hold = tuple(data.get("hold", view.hold))


def _vetoed(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.problems += data["reasons"]


def _plugin_problem(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.problems.append(data["problem"])


def _refused(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    said = f"{data['what']}. {data['next']}"
    if view.changed:  # it is not at its end by that: it is taken up once the other one's is over
        view.problems.append(said)
        return
    view.outcome = "refused"
    view.holder = data["holder"]
    # Of a run that never began nothing else is known.
    view.profile = view.profile or data.get("profile", "")
    view.cluster = view.cluster or data.get("cluster", "")
    view.ended_at = event.at
    view.exit_code = 3
    view.lines = [said]


def _ended(view: RunView, event: Event, data: Mapping[str, Any]) -> None:
    view.outcome = data["outcome"]
    view.exit_code = data["exit_code"]
    view.ended_at = event.at
    view.lines = list(data["lines"])


_HANDLERS = {
    "run.started": _run_started,
    "run.resumed": _run_resumed,
    "run.refused": _refused,
    "run.ended": _ended,
    "state": _state,
    "facts.cluster": _cluster_facts,
    "facts.node": _node_facts,
    "facts.problem": _facts_problem,
    "finding": _finding,
    "plan": _plan,
    "step.started": _step_started,
    "step.waiting": _step_waiting,
    "step.progress": _step_progress,
    "step.ended": _step_ended,
    "node.left-out": _left_out,
    "command": _command,
    "phase.vetoed": _vetoed,
    "plugin.problem": _plugin_problem,
}
