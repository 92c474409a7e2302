"""Plans with one step dropped, hurried or made twice: what the random runs must notice.

``python -m tests.support.plan_mutants 200`` looks for the first seed below 200 that notices each,
and prints the table of ``tests/simulation/test_plan_mutants.py``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octotui.run import preflight, runner
from octotui.upgrade import planner
from octotui.upgrade.plan import Plan, PlannedNode
from octotui.upgrade.planned_step import PlannedStep
from tests.support.port_estate import look_rarely
from tests.support.seeds import run_seed

Steps = Sequence[PlannedStep]


def dropped(steps: Steps, name: str) -> tuple[PlannedStep, ...]:
    """Without the step; what waited for it waits for what it waited for."""
    gone = {step.id: step.after for step in steps if step.name == name}

    def instead(after: Sequence[str]) -> tuple[str, ...]:
        return sum((instead(gone[b]) if b in gone else (b,) for b in after), start=())

    return tuple(replace(s, after=instead(s.after)) for s in steps if s.name != name)


def hurried(steps: Steps, name: str) -> tuple[PlannedStep, ...]:
    """With the step begun at once, before all that it has to wait for."""
    return tuple(replace(step, after=()) if step.name == name else step for step in steps)


def doubled(steps: Steps, name: str) -> tuple[PlannedStep, ...]:
    """With the step made a second time under the same id, beside the first."""
    return tuple(
        each for step in steps for each in ((step, step) if step.name == name else (step,))
    )


MUTATIONS: dict[str, Callable[[Steps, str], tuple[PlannedStep, ...]]] = {
    "dropped": dropped,
    "hurried": hurried,
    "doubled": doubled,
}


def mutants() -> Iterator[tuple[str, str]]:
    """Every mutation of every step of a plan that has them all."""
    nodes = [
        PlannedNode(name, "i", name, "", False, "1", "c", running=True) for name in ("N1", "N2")
    ]
    steps = (
        *planner.staging(["N1"]),
        *planner.maintenance(),
        *planner.draining(["N1"]),
        *planner.stopping(["N1"]),
        *planner.installing(["N1"], "N1", "first-node"),
        *planner.migrating("N1"),
        *planner.starting("N1", "first-verified"),
        *planner.joining(nodes[1:], "first-node"),
        *planner.finishing(["N1"], smoke=True),
        *planner.rolling_back(nodes[:1]),
    )
    for step in steps:
        yield "dropped", step.name
        if step.after:
            yield "hurried", step.name
        yield "doubled", step.name


@contextmanager
def mutated(mutation: str, name: str) -> Iterator[None]:
    """Plans and rollbacks have this mutation as long as this lasts."""
    change = MUTATIONS[mutation]
    make_plan, make_rollback = preflight.make_plan, runner.rolling_back

    def plan(*args: Any, **options: Any) -> Plan:
        made = make_plan(*args, **options)
        return replace(made, steps=change(made.steps, name))

    def rollback(nodes: Sequence[PlannedNode]) -> tuple[PlannedStep, ...]:
        return change(tuple(make_rollback(nodes)), name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preflight, "make_plan", plan)
        patch.setattr(runner, "rolling_back", rollback)
        yield


def first_that_notices(mutation: str, name: str, folder: Path, seeds: int) -> int | None:
    """The first seed that fails with this mutation."""
    with mutated(mutation, name):
        for seed in range(seeds):
            try:
                run_seed(seed, folder / "run")
            except Exception:
                return seed
            finally:
                shutil.rmtree(folder / "run", ignore_errors=True)
    return None


def main(seeds: int, part: int = 0, parts: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCTOTUI_STATE_DIR", str(Path(folder) / "state"))
        look_rarely(patch)
        for mutation, name in list(mutants())[part::parts]:
            seed = first_that_notices(mutation, name, Path(folder), seeds)
            print(f'    ("{mutation}", "{name}"): {seed},', flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
