"""The second upgrade of a cluster is estimated by what the first one took."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from octotui.upgrade.plan import Options, Plan
from tests.rehearsal import Estate, order, quick, rehearse, state_is
from tests.simulated_upgrade import Outcome

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")

BETWEEN = "2025.3.14287"


def plan_of(outcome: Outcome) -> Plan:
    return Plan.from_json([e.data for e in outcome.events if e.kind == "plan"][-1])


def took(outcome: Outcome, name: str) -> float:
    """Seconds of the slowest node."""
    return max(
        float(event.data["seconds"])
        for event in outcome.events
        if event.kind == "step.ended" and event.data["step"].partition("@")[0] == name
    )


def twice(folder: Path, first: dict[str, Any], **lab: Any) -> tuple[Outcome, Outcome]:
    """An upgrade, laid by, and the next one of the same cluster."""
    outcomes = []

    async def play(estate: Estate) -> Outcome:
        outcomes.append(await estate.attempt("run-1", **{"to": BETWEEN, **first}))
        estate.lay_by("run-1")
        return await estate.attempt("run-2")

    second = rehearse(folder, play, **lab)
    return outcomes[0], second


@pytest.mark.parametrize("rollout", ["first-node", "all-nodes"])
def test_the_second_plan_is_based_on_the_first_run(tmp_path: Path, rollout: Any) -> None:
    first, second = twice(tmp_path, {}, nodes=3, options=Options(rollout=rollout))
    before, after = plan_of(first), plan_of(second)
    assert (before.estimate.based_on_runs, after.estimate.based_on_runs) == (0, 1)
    assert (before.measures, second.state) == ({}, "succeeded")
    for step in after.steps:
        if step.kind not in ("wait-for-tasks", "download"):
            assert step.seconds == took(first, step.name), step.id
    assert after.step("draining.wait").seconds == before.step("draining.wait").seconds
    # What steps take one by one is what they took together: the second run is foretold.
    clock = took_between(second)
    assert after.estimate.outage_seconds == pytest.approx(clock, abs=5.0)


def took_between(outcome: Outcome) -> float:
    """The outage: from the last stop to the first node serving."""
    ends = {e.data["step"]: e.at for e in outcome.events if e.kind == "step.ended"}
    stopped = max(at for step, at in ends.items() if step.startswith("stopping.stop@"))
    return ends["starting.serving@OCTO1"] - stopped


def test_a_hold_of_hours_is_not_foretold(tmp_path: Path) -> None:
    async def release(journal: Any) -> None:
        await state_is(journal, "held")
        await asyncio.sleep(3 * 3600)
        await order(journal, "release")

    first = {"hold": ("migrating",), "during": release, "attended": True}
    _, second = twice(tmp_path, first, nodes=2)
    assert plan_of(second).estimate.based_on_runs == 1
    assert plan_of(second).estimate.maintenance_seconds < 1200


def test_an_upgrade_that_was_rolled_back_tells_as_far_as_it_came(tmp_path: Path) -> None:
    first, second = twice(tmp_path, {}, nodes=1, faults=["database:upgrade-fails,times=1"])
    assert first.state == "rolled_back"
    measures = plan_of(second).measures
    assert measures["installing.install"].last == took(first, "installing.install")
    assert "migrating.database" not in measures
    assert "starting.serving" not in measures
