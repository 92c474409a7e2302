"""What a plan expects, by what was measured, and how that is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from octotui.cli.lines import duration
from octotui.upgrade.estimating import basis, estimate, expectation, foretold, measured
from octotui.upgrade.plan import Estimate, Measure, Plan
from octotui.upgrade.planner import TYPICAL
from tests.cockpit_support import JOURNALS

INSTALL = Measure(runs=3, last=80.0, median=70.0, best=50.0, worst=100.0)


def recorded(name: str = "succeeded") -> dict[str, Any]:
    """The plan of a recorded run, as it is in the journal."""
    lines = (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return dict([event["data"] for event in events if event["kind"] == "plan"][-1])


def planned(measures: dict[str, Measure], name: str = "succeeded") -> Plan:
    """The plan that is made with these measures."""
    plan = Plan.from_json(recorded(name))
    known = foretold(plan.steps, measures)
    steps = measured(plan.steps, known)
    made = estimate(steps, plan.options.reopen, known)
    return replace(plan, steps=steps, estimate=made, measures=known)


def test_without_measures_all_is_typical() -> None:
    plan = planned({})
    assert plan == Plan.from_json(recorded())
    assert plan.step("installing.install@OCTO1").seconds == TYPICAL["install-target"]
    assert plan.estimate.based_on_runs == 0
    assert basis(plan) == "typical values, not measured here"


def test_the_median_is_what_is_expected_on_every_node() -> None:
    plan = planned({"joining.install": INSTALL})
    assert plan.step("joining.install@OCTO2").seconds == 70.0
    assert plan.step("joining.install@OCTO3").seconds == 70.0
    assert plan.step("installing.install@OCTO1").seconds == TYPICAL["install-target"]
    before = planned({}).estimate
    assert plan.estimate == Estimate(
        outage_seconds=before.outage_seconds,
        all_up_seconds=before.all_up_seconds - 5.0,
        maintenance_seconds=before.maintenance_seconds - 5.0,
        based_on_runs=3,
    )


@pytest.mark.parametrize("name", ["draining.wait", "staging.download"])
def test_what_the_past_does_not_foretell_stays_typical(name: str) -> None:
    plan = planned({name: INSTALL})
    assert plan.step(name).seconds == Plan.from_json(recorded()).step(name).seconds
    assert (plan.measures, plan.estimate.based_on_runs) == ({}, 0)


def test_measures_of_steps_that_are_not_planned_mean_nothing() -> None:
    plan = planned({"joining.install": INSTALL, "rolling_back.serving": INSTALL}, "single")
    assert (plan.measures, plan.estimate.based_on_runs) == ({}, 0)


def test_the_outage_has_the_range_of_what_was_measured() -> None:
    before = planned({}).estimate.outage_seconds
    told = expectation(planned({"installing.install": INSTALL}), duration)
    expected = before - 75.0
    assert told.startswith(
        f"outage {duration(expected + 70.0)} "
        # At its best it is done before the backup beside it, which takes a minute.
        f"({duration(expected + 60.0)} to {duration(expected + 100.0)}), all nodes up after "
    )


def test_one_measure_has_no_range() -> None:
    one = Measure(runs=1, last=70.2, median=70.2, best=70.2, worst=70.2)
    told = expectation(planned({"installing.install": one}), duration)
    assert told.startswith("outage 4:13, all nodes up after ")


@pytest.mark.parametrize(("runs", "past"), [(1, "1 past run"), (3, "3 past runs")])
def test_how_many_of_the_steps_that_take_time_were_measured(runs: int, past: str) -> None:
    quick_one = Measure(runs, 0.1, 0.1, 0.1, 0.1)
    install = replace(INSTALL, runs=runs)
    names = ("installing.install", "joining.install", "installing.backup")
    plan = planned({**dict.fromkeys(names, install), "draining.drain": quick_one})
    assert basis(plan) == f"3 of 10 steps that take time measured in {past}"
    assert f"({basis(plan)})" in expectation(plan, duration)


def test_a_plan_with_measures_is_read_as_it_was_written() -> None:
    plan = planned({"installing.install": INSTALL})
    assert Plan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_a_plan_of_a_journal_from_before_measures_is_still_read() -> None:
    data = recorded()
    data.pop("measures", None)
    plan = Plan.from_json(data)
    assert (plan.measures, basis(plan)) == ({}, "typical values, not measured here")
