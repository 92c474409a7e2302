"""The fold: what a screen, plain lines and a report may show after these events."""

from __future__ import annotations

import pytest

from octotui.api.events import Event
from octotui.view import fold
from tests.unit.view_story import Story


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_step_runs_waits_fails_and_is_done_in_a_second_attempt(story: Story) -> None:
    step = "stopping.stop@N1"
    story.begin(step)
    assert [s.id for s in story.view.running_steps()] == [step]
    assert story.view.nodes["N1"].doing == "stop"
    story.tell("step.waiting", step=step, node="N1", reason="the service stops")
    story.tell("step.progress", step=step, node="N1", text="half", done=1, total=2)
    seen = story.view.steps[step]
    assert (seen.waiting, seen.progress) == ("the service stops", "half 50%")
    story.end(step, "failed")
    seen = story.view.steps[step]
    assert (seen.state, seen.waiting, seen.progress) == ("failed", "", "")
    assert seen.error == {"what": "1603"}
    assert story.view.nodes["N1"].doing == ""
    story.begin(step, attempt=2)
    assert story.view.steps[step].error == {}
    story.end(step)
    seen = story.view.steps[step]
    assert (seen.state, seen.attempt) == ("done", 2)


def test_the_three_clocks_run_and_then_stand(story: Story) -> None:
    nothing = story.view.clocks(story.at)
    assert (nothing.outage, nothing.all_up, nothing.maintenance) == (None, None, None)
    story.do("maintenance.on")
    on = story.at
    story.do("stopping.stop@N2").do("stopping.stop@N1")
    last_stop = story.at
    running = story.view.clocks(story.at + 60)
    assert (running.outage, running.all_up) == (60, 60)
    story.do("starting.serving@N1", after=100)
    first = story.at - last_stop
    story.do("joining.serving@N2", after=50)
    every = story.at - last_stop
    story.do("finishing.maintenance")
    clocks = story.view.clocks(story.at + 1e6)
    assert (clocks.outage, clocks.all_up) == (first, every)
    assert clocks.maintenance == story.at - on


def test_a_node_that_is_left_out_is_not_waited_for(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    story.tell("node.left-out", node="N2")
    story.do("starting.serving@N1")
    assert story.view.all_serving == story.at
    assert story.view.nodes["N2"].left_out


def test_the_others_served_when_they_did_however_late_one_is_left_out(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    story.do("starting.serving@N1")
    served = story.at
    story.tell("node.left-out", after=3600.0, node="N2")
    assert story.view.all_serving == served


def test_a_node_that_did_not_come_to_serve_counts_for_nothing(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    story.do("starting.serving@N1")
    served = story.at
    story.begin("joining.serving@N2").end("joining.serving@N2", "failed", after=300.0)
    story.tell("node.left-out", node="N2")
    assert story.view.all_serving == served


def test_a_node_that_was_found_stopped_is_not_waited_for(story: Story) -> None:
    nodes = [{"name": "N1", "running": True}, {"name": "N2", "running": False}]
    plan = {"from_version": "1.0.0", "to_version": "2.0.0", "steps": [], "estimate": {}}
    story.tell("plan", **plan, nodes=nodes)
    story.do("stopping.stop@N1").do("stopping.stop@N2").do("starting.serving@N1")
    assert story.view.all_serving == story.at


def test_a_node_left_out_before_any_serves_ends_no_clock(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    story.tell("node.left-out", node="N2")
    assert story.view.all_serving is None


def test_the_clocks_stand_when_the_run_ends_without_their_end(story: Story) -> None:
    story.do("stopping.stop@N1")
    stopped = story.at
    story.tell("run.ended", after=30, outcome="needs_person", exit_code=4, lines=["Look."])
    assert story.view.clocks(story.at + 5000).outage == story.at - stopped


def test_versions_follow_the_installers_there_and_back(story: Story) -> None:
    story.do("installing.install@N1")
    assert story.view.nodes["N1"].version == "2.0.0"
    story.do("rolling_back.reinstall@N1")
    assert story.view.nodes["N1"].version == "1.0.0"


def test_an_installation_that_failed_changes_no_version(story: Story) -> None:
    story.begin("installing.install@N1").end("installing.install@N1", "failed")
    assert story.view.nodes["N1"].version == ""


def test_a_run_that_is_taken_up_again_has_no_outcome_any_more(story: Story) -> None:
    story.tell("run.ended", outcome="held", exit_code=4, lines=["Held."])
    assert (story.view.outcome, story.view.exit_code) == ("held", 4)
    story.tell("run.resumed", pid=8, state="held")
    view = story.view
    assert (view.outcome, view.exit_code, view.ended_at, view.lines, view.pid) == (
        "", None, None, [], 8,
    )  # fmt: skip


def test_findings_are_those_of_the_last_look(story: Story) -> None:
    finding = {"check": "versions", "result": "fail"}
    story.tell("finding", **finding)
    recheck = {"from": "ready", "to": "preflight", "trigger": "recheck", "waiting_phase": ""}
    story.tell("state", **recheck)
    assert story.view.findings == []
    story.tell("finding", **{**finding, "result": "pass"})
    assert [f["result"] for f in story.view.findings] == ["pass"]


def test_what_a_later_octotui_writes_is_passed_over(story: Story) -> None:
    before = story.view
    story.tell("weather", sky="blue")
    after = story.view
    assert after.seq == before.seq + 1
    assert (after.state, after.steps.keys()) == (before.state, before.steps.keys())


def test_a_refused_run_tells_who_holds_the_cluster() -> None:
    data = {"holder": "r0", "what": "run r0 is upgrading this cluster", "next": "octotui attach r0"}
    view = fold([Event(1, 5.0, "r1", "run", "run.refused", data)])
    assert (view.outcome, view.exit_code) == ("refused", 3)
    assert view.lines == ["run r0 is upgrading this cluster. octotui attach r0"]
    assert (view.holder, view.profile, view.cluster) == ("r0", "", ""), "an older octotui's"
    data |= {"profile": "/p/eu.toml", "cluster": "https://eu"}
    view = fold([Event(1, 5.0, "r1", "run", "run.refused", data)])
    assert (view.profile, view.cluster) == ("/p/eu.toml", "https://eu")


def test_a_changed_run_is_not_at_its_end_where_another_was_quicker(story: Story) -> None:
    refusal = {"holder": "r0", "what": "busy", "next": "Wait", "profile": "", "cluster": ""}
    story.tell("run.refused", **refusal)
    assert (story.view.outcome, story.view.over) == ("refused", True)
    story.tell("state", to="needs_person", waiting_phase="joining", changed=True)
    story.tell("run.resumed", pid=2, state="needs_person", hold=["finishing"])
    assert (story.view.holder, story.view.hold) == ("", ("finishing",))
    story.tell("run.refused", **refusal)
    assert (story.view.outcome, story.view.exit_code, story.view.over) == ("", None, False)
    assert (story.view.holder, story.view.problems) == ("", ["busy. Wait"])


def test_a_step_that_no_plan_names_is_shown_all_the_same(story: Story) -> None:
    story.do("rolling_back.reinstall@N2")
    assert story.view.steps["rolling_back.reinstall@N2"].state == "done"


def test_failed_steps_are_those_that_somebody_still_has_to_see_to(story: Story) -> None:
    story.begin("stopping.stop@N1").end("stopping.stop@N1", "failed")
    story.begin("stopping.stop@N2").end("stopping.stop@N2", "interrupted")
    assert [s.node for s in story.view.failed_steps()] == ["N1", "N2"]
    story.tell("node.left-out", node="N2")
    assert [s.node for s in story.view.failed_steps()] == ["N1"]
    story.begin("stopping.stop@N1", attempt=2)
    assert story.view.failed_steps() == []


def test_the_database_counts_as_upgraded_once_its_one_upgrade_has_ended_well(story: Story) -> None:
    step = "migrating.database@N1"
    story.begin(step)
    assert not story.view.database_upgraded
    story.end(step, "failed")
    assert not story.view.database_upgraded
    story.do(step)
    assert story.view.database_upgraded


def test_what_was_changed_and_what_is_held_before_is_known(story: Story) -> None:
    assert (story.view.changed, story.view.hold) == (False, ())
    story.tell("state", to="maintenance", waiting_phase="", changed=True)
    story.tell("command", command="hold", argument="next", by="ann", answer="", hold=["migrating"])
    story.tell("state", to="draining", waiting_phase="", changed=False)
    assert (story.view.changed, story.view.hold) == (True, ("migrating",))
