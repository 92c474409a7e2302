"""Which node was, or will be, in which state when: recorded runs and their plans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from octotui.api.events import Event
from octotui.report.markdown import SET_BACK, render
from octotui.report.node_times import Span, Times, times_of_plan, times_of_run
from octotui.upgrade.plan import Plan
from octotui.view import RunView
from tests.cockpit_support import begins, ends, view_of


def times_of(view: RunView) -> Times:
    times = times_of_run(view)
    assert times is not None
    return times


def states(times: Times, node: str) -> list[str]:
    return [span.state for span in spans(times, node)]


def spans(times: Times, node: str) -> tuple[Span, ...]:
    return next(found.spans for found in times.nodes if found.name == node)


_FIRST = ["up", "down", "installing", "down", "database", "down", "up"]
_OTHER = ["up", "down", "installing", "down", "up"]

RUNS = {
    "succeeded": {"OCTO1": _FIRST, "OCTO2": _OTHER, "OCTO3": _OTHER},
    "single": {"OCTO1": _FIRST},
    "left-out": {
        "OCTO1": _FIRST,
        "OCTO2": ["up", "down", "installing", "failed", "left out"],
        "OCTO3": _OTHER,
    },
    "joining-failed": {
        "OCTO1": _FIRST,
        "OCTO2": ["up", "down", "installing", "failed"],
        "OCTO3": _OTHER[:-1],  # it serves from the very end on
    },
    "rolled-back": {
        "OCTO1": ["up", "down", "installing", "failed", "installing", "down", "up"],
        "OCTO2": ["up", "down", "up"],
        "OCTO3": ["up", "down", "up"],
    },
    "resumed": {
        "OCTO1": ["up", "down", "installing", "down", "database", "unknown", "down", "up"],
        "OCTO2": _OTHER,
        "OCTO3": _OTHER,
    },
    "many": {
        "OCTO2": ["up", "down", "installing", "down"],
        "OCTO7": ["up", "down", "installing", "failed"],
        "OCTO21": ["up", "down", "installing"],
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_every_node_goes_through_its_states(name: str) -> None:
    times = times_of(view_of(name))
    for node, expected in RUNS[name].items():
        assert states(times, node) == expected, node


@pytest.mark.parametrize("name", RUNS)
def test_states_follow_each_other_without_a_gap(name: str) -> None:
    times = times_of(view_of(name))
    for node in times.nodes:
        assert node.spans[0].begin == times.begin
        assert node.spans[-1].end == times.end
        for one, following in zip(node.spans, node.spans[1:], strict=False):
            assert one.end == following.begin
            assert one.begin < one.end
    assert all(times.begin <= a < b <= times.end for a, b in times.idle)


@pytest.mark.parametrize("name", ["succeeded", "left-out", "rolled-back", "resumed", "single"])
def test_no_node_is_up_just_as_long_as_the_outage_is_measured(name: str) -> None:
    view = view_of(name)
    times = times_of(view)
    downs = [[s for s in node.spans[1:] if s.state == "up"][:1] for node in times.nodes]
    began = max(node.spans[0].end for node in times.nodes)
    served = min(up[0].begin for up in downs if up)
    assert served - began == pytest.approx(view.clocks(view.at).outage)


@pytest.mark.parametrize("name", ["refused", "aborted", "warned"])
def test_a_run_without_an_outage_has_no_picture(name: str) -> None:
    assert times_of_run(view_of(name)) is None


def test_an_attempt_that_was_tried_again_is_not_forgotten() -> None:
    """What a step's last attempt says of itself is not all that happened on the node."""
    view = view_of("rolled-back")
    (failed,) = [span for span in spans(times_of(view), "OCTO1") if span.state == "failed"]
    step = view.steps["installing.install@OCTO1"]
    assert (failed.begin, failed.end) == (
        step.ended,
        view.steps["rolling_back.reinstall@OCTO1"].started,
    )
    again = Event(
        view.seq + 1, view.at, "r", "step", "step.started",
        {"step": step.id, "phase": step.phase, "title": step.title, "node": step.node,
         "attempt": 2, "expected_seconds": 1.0},
    )  # fmt: skip
    view.apply(again)
    assert [(old.state, old.attempt) for old in view.earlier] == [("failed", 1)]
    assert (step.state, step.attempt) == ("running", 2)
    assert states(times_of(view), "OCTO1").count("failed") == 1


def test_what_nobody_saw_is_not_known() -> None:
    """From the last word of the process that died to the first of the one that took it up."""
    view = view_of("resumed")
    ((gone, back),) = view.gaps
    assert back - gone > 100
    (unknown,) = [span for span in spans(times_of(view), "OCTO1") if span.state == "unknown"]
    assert (unknown.begin, unknown.end) == (gone, view.steps["migrating.database@OCTO1"].ended)
    around = [p.state for p in times_of(view).phases]
    assert around[around.index("gone") - 1 : around.index("gone") + 2] == [
        "migrating", "gone", "migrating",
    ]  # fmt: skip


def test_what_nobody_saw_is_not_known_either_where_the_run_goes_another_way() -> None:
    view = view_of("resumed", begins("starting.start@OCTO1"))
    step = view.steps["migrating.database@OCTO1"]
    step.state, step.started, step.ended = "running", view.gaps[0][0] - 60.0, None
    view.earlier.clear()
    waits = {"to": "needs_person", "waiting_phase": "migrating", "changed": True}
    view.apply(Event(view.seq + 1, view.at + 300.0, "r", "run", "state", waits))
    assert step.state == "interrupted"
    last = spans(times_of(view), "OCTO1")[-1]
    assert (last.state, last.begin) == ("unknown", view.gaps[0][0])


def test_a_node_that_was_stopped_has_a_picture_though_another_served_all_the_time() -> None:
    view = view_of("succeeded", ends("stopping.stop@OCTO2"))
    view.at += 30.0
    assert view.clocks(view.at).outage is None
    assert states(times_of(view), "OCTO1") == ["up", "down"]


def test_a_stop_that_was_begun_and_not_proved_leaves_the_node_unknown() -> None:
    view = view_of("succeeded", until=begins("installing.last-seen"))
    step = view.steps["stopping.stop@OCTO2"]
    step.state = "failed"
    last = spans(times_of(view), "OCTO2")[-1]
    assert (last.state, last.begin) == ("unknown", step.started)


def test_waits_for_a_person_and_what_was_decided_are_told() -> None:
    times = times_of(view_of("left-out"))
    (wait,) = [phase for phase in times.phases if phase.state == "waits"]
    assert wait.end - wait.begin == pytest.approx(200.2, abs=1.0)
    assert [d.text for d in times.decisions] == ["ann: leave-out OCTO2"]
    assert times.decisions[0].at == wait.end
    longest = max(times.idle, key=lambda stretch: stretch[1] - stretch[0])
    assert longest == (wait.begin, wait.end)


@pytest.mark.parametrize("step", ["staging.stage@OCTO1", "joining.install@OCTO2"])
def test_in_times_of_a_clock_that_was_set_back_nothing_is_drawn_and_it_is_said(step: str) -> None:
    back = view_of("succeeded", late=begins(step), by=-300.0)
    assert times_of_run(back) is None
    assert SET_BACK in render(back)
    adjusted = view_of("succeeded", late=begins(step), by=-0.5)
    assert times_of_run(adjusted) is not None
    assert SET_BACK not in render(adjusted)


def test_what_the_cluster_s_own_steps_take_is_not_idle() -> None:
    plan = plan_of("held")
    long = {"installing.backup": 600.0, "draining.wait": 900.0}
    steps = tuple(replace(step, seconds=long.get(step.id, step.seconds)) for step in plan.steps)
    times = times_of_plan(replace(plan, steps=steps))
    assert max((end - begin for begin, end in times.idle), default=0.0) < 60.0


def test_a_node_that_is_left_out_while_it_serves_goes_on_serving() -> None:
    view = view_of("succeeded", begins("finishing.check@OCTO3"))
    view.nodes["OCTO3"].left_out_at = view.at
    view.at += 60.0
    assert states(times_of(view), "OCTO3") == _OTHER


def test_a_plan_that_does_not_tell_of_its_nodes_is_drawn_without_them() -> None:
    view = view_of("succeeded")
    view.plan = {key: value for key, value in view.plan.items() if key != "nodes"}
    assert states(times_of(view), "OCTO1")[:2] == ["unknown", "down"]


def test_a_copy_of_a_view_goes_on_by_itself() -> None:
    view = view_of("resumed")
    copied = view.copy()
    copied.gaps.append((1.0, 2.0))
    copied.entered.clear()
    copied.earlier.clear()
    assert (len(view.resumed), copied.resumed[-1]) == (1, 2.0)
    assert view.entered
    assert view.earlier


def plan_of(name: str) -> Plan:
    return Plan.from_json(view_of(name).plan)


@pytest.mark.parametrize("name", ["succeeded", "single", "many"])
def test_a_plan_s_outage_and_its_end_are_those_of_its_estimate(name: str) -> None:
    plan = plan_of(name)
    times = times_of_plan(plan)
    began = max(node.spans[0].end for node in times.nodes)
    ups = [node.spans[-1].begin for node in times.nodes]
    assert {node.spans[-1].state for node in times.nodes} == {"up"}
    # The first node's start type is put back after it serves: calls of a second.
    assert min(ups) - began == pytest.approx(plan.estimate.outage_seconds, abs=2.0)
    assert max(ups) - began == pytest.approx(plan.estimate.all_up_seconds, abs=2.0)


def test_a_plan_foretells_every_node() -> None:
    times = times_of_plan(plan_of("succeeded"), hold=("migrating",))
    assert states(times, "OCTO1") == ["up", "down", "installing", "database", "down", "up"]
    assert states(times, "OCTO2") == _OTHER
    migrating = next(phase for phase in times.phases if phase.state == "migrating")
    assert [(d.at, d.text) for d in times.decisions] == [(migrating.begin, "stops and asks")]


def test_a_node_that_was_found_stopped_stays_down() -> None:
    times = times_of_plan(plan_of("warned"))
    assert "up" not in states(times, "OCTO3")
