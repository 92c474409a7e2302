"""Recorded runs in the view: what whole journals, as a runner writes them, come to."""

from __future__ import annotations

from typing import Any

import pytest

from octotui.view import Clocks, StepView
from tests.cockpit_support import begins, ends, enters, view_of

OLD, NEW = "2025.2.13071", "2025.4.10428"


@pytest.mark.parametrize(
    ("name", "outcome", "code", "state"),
    [
        ("succeeded", "succeeded", 0, "succeeded"),
        ("single", "succeeded", 0, "succeeded"),
        ("held", "succeeded", 0, "succeeded"),
        ("left-out", "succeeded", 0, "succeeded"),
        ("resumed", "succeeded", 0, "succeeded"),
        ("rolled-back", "rolled_back", 1, "rolled_back"),
        ("aborted", "aborted", 1, "aborted"),
        ("joining-failed", "needs_person", 4, "needs_person"),
        ("refused", "refused", 3, "failed"),
    ],
)
def test_how_a_run_ended(name: str, outcome: str, code: int, state: str) -> None:
    view = view_of(name)
    assert (view.outcome, view.exit_code, view.state) == (outcome, code, state)
    assert view.ended_at == view.at
    assert view.lines
    assert view.over is (outcome != "needs_person")
    assert (view.running_steps(), [n.doing for n in view.nodes.values() if n.doing]) == ([], [])
    assert (view.set_back, view.problems) == (False, [])


def test_the_clocks_of_a_whole_upgrade() -> None:
    view = view_of("succeeded")
    clocks = view.clocks(view.at + 1e6)
    stop, first, last, on, off = (
        ended(view.steps, step)
        for step in (
            "stopping.stop@OCTO3",
            "starting.serving@OCTO1",
            "joining.serving@OCTO3",
            "maintenance.on",
            "finishing.maintenance",
        )
    )
    assert clocks == Clocks(first - stop, last - stop, off - on)
    assert 0 < clocks_of(clocks)[0] < clocks_of(clocks)[1] < clocks_of(clocks)[2]


def test_before_and_in_the_outage() -> None:
    before = view_of("succeeded", begins("stopping.stop@OCTO1"))
    assert before.clocks(before.at).outage is None
    assert [n.serving for n in before.nodes.values()] == [True, True, True]
    assert {n.version for n in before.nodes.values()} == {OLD}
    during = view_of("succeeded", begins("migrating.database@OCTO1"))
    assert during.clocks(during.at + 10.0).outage == during.at + 10.0 - (during.last_stop or 0.0)
    assert [n.serving for n in during.nodes.values()] == [False, False, False]
    assert [n.version for n in during.nodes.values()] == [NEW, OLD, OLD]
    assert (during.changed, during.database_upgraded, during.state) == (True, False, "migrating")


def test_what_is_planned_is_there_before_the_approval() -> None:
    view = view_of("succeeded", enters("staging"))
    assert (view.state, view.from_version, view.to_version) == ("ready", OLD, NEW)
    assert {step.state for step in view.steps.values()} == {"pending"}
    assert view.steps["migrating.database@OCTO1"].expected > 60
    assert view.plan["estimate"]["outage_seconds"] > 0
    assert {f["result"] for f in view.findings} == {"pass"}
    assert not view.changed


def test_a_drain_that_waits_for_tasks_says_for_which_since_when() -> None:
    view = view_of("succeeded", ends("draining.wait"))
    [step] = [s for s in view.steps.values() if s.id == "draining.wait"]
    assert step.waiting == "", "the wait ended just before the step did"
    view = view_of("succeeded", waits_no_more)
    [step] = view.running_steps()
    assert step.waiting.startswith("3 tasks running, oldest: Deploy Shop")
    assert (step.waiting_since, step.progress) == (step.started, "running tasks")


def test_a_node_that_failed_and_was_left_out() -> None:
    failed = view_of("left-out", lambda event: bool(event["kind"] == "node.left-out"))
    [step] = failed.failed_steps()
    assert (step.node, step.phase, failed.waiting_phase) == ("OCTO2", "joining", "joining")
    assert "1603" in step.error["what"]
    assert failed.all_serving is None
    view = view_of("left-out")
    assert view.failed_steps() == []
    assert [n.name for n in view.nodes.values() if n.left_out] == ["OCTO2"]
    assert [n.version for n in view.nodes.values()] == [NEW, OLD, NEW]
    assert view.all_serving == ended(view.steps, "joining.serving@OCTO3")
    assert [(c["command"], c["argument"]) for c in view.commands] == [
        ("approve", ""), ("leave-out", "OCTO2"),
    ]  # fmt: skip


def test_a_run_that_held() -> None:
    held = view_of("held", enters("migrating"))
    assert (held.state, held.waiting_phase, held.running_steps()) == ("held", "migrating", [])
    assert held.hold == ("migrating",)
    assert view_of("held").waiting_phase == ""


def test_a_run_that_another_process_resumed() -> None:
    view = view_of("resumed")
    ((gone, back),) = view.gaps
    assert view.resumed == [back]
    step = view.steps["migrating.database@OCTO1"]
    assert (step.state, step.started, view.database_upgraded) == ("already", back, True)
    [first] = view.earlier
    assert (first.id, first.ended) == (step.id, None)
    assert first.started is not None
    assert first.started < gone
    assert first.progress, "how far it was when its process died"


def test_a_run_that_was_rolled_back() -> None:
    view = view_of("rolled-back")
    assert {(n.version, n.serving) for n in view.nodes.values()} == {(OLD, True)}
    assert view.clocks(view.at + 9.0).all_up == (view.all_serving or 0.0) - (view.last_stop or 0.0)
    assert (view.changed, view.database_upgraded) == (True, False)
    assert [s.id for s in view.failed_steps()] == ["installing.install@OCTO1"]


def test_a_run_that_a_check_refused() -> None:
    view = view_of("refused")
    assert {f["check"] for f in view.findings if f["result"] == "fail"} == {
        "nodes-reachable", "disk-space",
    }  # fmt: skip
    assert [n.name for n in view.nodes.values() if n.problem] == ["OCTO3"]
    assert (view.steps, view.changed, view.plan) == ({}, False, {})


def ended(steps: dict[str, StepView], step: str) -> float:
    at = steps[step].ended
    assert at is not None
    return at


def clocks_of(clocks: Clocks) -> tuple[float, float, float]:
    assert clocks.outage is not None
    assert clocks.all_up is not None
    assert clocks.maintenance is not None
    return clocks.outage, clocks.all_up, clocks.maintenance


def waits_no_more(event: dict[str, Any]) -> bool:
    return event["kind"] == "step.waiting" and not event["data"]["reason"]
