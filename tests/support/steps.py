"""One step of an upgrade by itself, in the situation that the engine brought about before it.

    async with held_before("installing", tmp_path) as stage:
        stage.lab.start_service("OCTO2", "somebody")
        with pytest.raises(InterlockRefused, match="OCTO2 is not stopped"):
            await stage.do("installing.backup-begin")

The run up to the hold is a whole one, at the ports; what the step is given is what its journal
holds. So nothing but the guard under test stands between the fault and the harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from octotui.api.errors import OctotuiError
from octotui.run.ledger import Ledger
from octotui.upgrade.plan import Plan
from octotui.upgrade.planned_step import PlannedStep
from octotui.upgrade.planner import rolling_back
from octotui.upgrade.steps import KINDS
from octotui.upgrade.steps.base import Probe, Result, StepContext, World
from octotui_lab.model.state import Node
from octotui_lab.world import World as LabWorld
from tests.support.port_estate import PortEstate
from tests.virtual_time import run_virtually

T = TypeVar("T")


@dataclass
class Recorder:
    """What a step says about itself."""

    notes: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    progressed: list[str] = field(default_factory=list)
    #: The newest count of something, and of how many.
    counted: tuple[int | None, int | None] = (None, None)
    logged: list[tuple[str | None, str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    #: Called with each note, at the moment at which the runner would make it durable.
    on_note: Callable[[str], None] = lambda note: None

    def waiting(self, reason: str) -> None:
        if reason != (self.waits[-1] if self.waits else ""):
            self.waits.append(reason)

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        self.progressed.append(text)
        self.counted = (done, total)

    def note(self, note: str) -> None:
        self.on_note(note)
        self.notes.append(note)

    def log(self, node: str | None, text: str) -> None:
        self.logged.append((node, text))

    def keep(self, name: str, text: str) -> None:
        self.kept[name] = text


def assert_helps(error: OctotuiError, step_id: str) -> None:
    """An error of a step names its node and says what to do next."""
    assert error.what.strip()
    assert error.next_step.strip()
    if "@" in step_id:
        assert error.node == step_id.partition("@")[2]


class Stage:
    """An estate whose run is held, and its steps one at a time."""

    def __init__(self, estate: PortEstate, world: World) -> None:
        self.estate = estate
        self.world = world
        self.report = Recorder()
        self.ledger = Ledger()
        for event in estate.journal().events():
            self.ledger.apply(event)
        assert self.ledger.plan is not None
        self.plan: Plan = self.ledger.plan

    @property
    def lab(self) -> LabWorld:
        return self.estate.lab

    @property
    def now(self) -> float:
        return self.world.clock.time()

    def node(self, name: str) -> Node:
        return self.lab.cluster.nodes[name]

    def actions(self, *names: str) -> list[tuple[str, str | None]]:
        """What the lab was told to do, of these kinds, in order."""
        truth = self.lab.truth()["actions"]
        return [(a["action"], a["node"]) for a in truth if a["action"] in names]

    def violations(self) -> list[str]:
        return [v["detail"] for v in self.lab.truth()["violations"]]

    def planned(self, step_id: str) -> PlannedStep:
        steps = (*self.plan.steps, *rolling_back(self.plan.nodes))
        return next(step for step in steps if step.id == step_id)

    def context(self, step_id: str, **changes: Any) -> StepContext:
        """What the engine would give that step now; ``changes`` are of StepContext's fields."""
        ledger = self.ledger
        attempt = ledger.attempts.get(step_id, 0) + 1
        context = StepContext(
            run_id="run-1",
            plan=self.plan,
            step=self.planned(step_id),
            attempt=attempt,
            world=self.world,
            report=self.report,
            results=ledger.results,
            attempts={**ledger.attempts, step_id: attempt},
            notes=ledger.notes,
        )
        return replace(context, **changes)

    async def do(self, step_id: str, **changes: Any) -> Result:
        """Applies the step and keeps its result for those after it."""
        context = self.context(step_id, **changes)
        result = await KINDS[context.step.kind].apply(context)
        self.ledger.results[step_id] = result
        self.ledger.attempts[step_id] = context.attempt
        return result

    async def probe(self, step_id: str, **changes: Any) -> Probe:
        context = self.context(step_id, **changes)
        return await KINDS[context.step.kind].probe(context)


def on_stage(
    folder: Path,
    phase: str,
    play: Callable[[Stage], Awaitable[T]],
    *,
    run: Mapping[str, Any] | None = None,
    **settings: Any,
) -> T:
    """Runs an upgrade up to its hold before ``phase``, then ``play``; settings are PortEstate's."""

    async def whole() -> T:
        estate = PortEstate(folder, **settings)
        try:
            outcome = await estate.attempt(hold=(phase,), backs_out=False, **(run or {}))
            assert outcome.state == "held", outcome.lines
            async with estate.world("run-1") as world:
                async with asyncio.timeout(6 * 3600):
                    return await play(Stage(estate, world))
        finally:
            await estate.close()

    return run_virtually(whole())
