"""The plan of one upgrade: phases and steps, made before anything changes.

A plan is data: it is printed, journalled, and all that a resumed run knows about what it set out
to do. Nothing in it is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias

from octotui.api.source import Package
from octotui.upgrade.planned_step import PlannedStep

Rollout: TypeAlias = Literal["first-node", "all-nodes"]
Reopen: TypeAlias = Literal["all-verified", "first-verified"]
DrainPolicy: TypeAlias = Literal["wait", "cancel", "ask"]


@dataclass(frozen=True, slots=True)
class Options:
    """The policies of the profile that shape an upgrade. Seconds."""

    rollout: Rollout = "first-node"
    reopen: Reopen = "all-verified"
    drain_policy: DrainPolicy = "wait"
    drain_deadline: float = 1800.0
    signer: str = "same-as-installed"


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node as it was found when the plan was made.

    ``node_id`` is its id in the REST API; ``url`` its own address or empty; ``draining`` its drain
    flag, ``version`` what was installed, ``running`` whether its service ran: one that was found
    stopped is upgraded and left stopped.
    """

    name: str
    instance: str
    node_id: str
    url: str
    draining: bool
    version: str
    install_directory: str
    running: bool


@dataclass(frozen=True, slots=True)
class SmokeTest:
    url: str
    expect: int


@dataclass(frozen=True, slots=True)
class Measure:
    """How long a step took in so many past ``runs`` of this cluster; seconds, each run's slowest

    node. ``last`` is the newest run's.
    """

    runs: int
    last: float
    median: float
    best: float
    worst: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected seconds: outage until the first node serves, until all serve, maintenance window.

    ``based_on_runs``: in how many past runs its steps were measured, 0 where all are typical
    values.
    """

    outage_seconds: float
    all_up_seconds: float
    maintenance_seconds: float
    based_on_runs: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an upgrade sets out to do.

    ``installed`` is None where the installed version's package could not be had: then there is no
    backing out once a package was installed. ``maintenance`` is as it was found. ``measures``: by
    names of steps, where the expected duration is the median of what was measured.
    """

    cluster_url: str
    installation_id: str
    from_version: str
    to_version: str
    first_node: str
    nodes: tuple[PlannedNode, ...]
    target: Package
    installed: Package | None
    maintenance: bool
    options: Options
    smoke: tuple[SmokeTest, ...]
    steps: tuple[PlannedStep, ...]
    estimate: Estimate
    measures: Mapping[str, Measure] = field(default_factory=dict)

    @property
    def is_cluster(self) -> bool:
        return len(self.nodes) > 1

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)

    @property
    def other_nodes(self) -> tuple[str, ...]:
        return tuple(name for name in self.node_names if name != self.first_node)

    def node(self, name: str) -> PlannedNode:
        return next(node for node in self.nodes if node.name == name)

    def steps_of(self, phase: str) -> tuple[PlannedStep, ...]:
        return tuple(step for step in self.steps if step.phase == phase)

    def step(self, step_id: str) -> PlannedStep:
        return next(step for step in self.steps if step.id == step_id)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that ``as_json`` wrote, now or before steps were measured."""
        values = dict(data)
        values["nodes"] = tuple(PlannedNode(**node) for node in data["nodes"])
        values["target"] = Package(**data["target"])
        values["installed"] = Package(**data["installed"]) if data["installed"] else None
        values["options"] = Options(**data["options"])
        values["smoke"] = tuple(SmokeTest(**test) for test in data["smoke"])
        values["estimate"] = Estimate(**data["estimate"])
        measures = data.get("measures", {})
        values["measures"] = {name: Measure(**measure) for name, measure in measures.items()}
        values["steps"] = tuple(
            PlannedStep(**{**step, "after": tuple(step["after"])}) for step in data["steps"]
        )
        return cls(**{f.name: values[f.name] for f in fields(cls)})
