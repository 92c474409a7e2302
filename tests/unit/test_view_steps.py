"""Steps in the view: what is planned, runs, waits, how far it is, how it ended, and what failed."""

from __future__ import annotations

import pytest

from octotui.view import NodeView, RunView, StepView
from tests.unit.view_story import Story

STOP = "stopping.stop@N1"


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_run_of_which_nothing_is_known_shows_nothing() -> None:
    view = RunView()
    assert (view.run, view.cluster, view.profile, view.state) == ("", "", "", "preflight")
    assert (view.from_version, view.to_version, view.waiting_phase) == ("", "", "")
    assert (view.outcome, view.holder, view.exit_code, view.lines) == ("", "", None, [])
    assert (view.started, view.ended_at, view.pid) == (None, None, None)
    assert (view.changed, view.hold, view.set_back, view.over) == (False, (), False, False)
    assert (view.state_since, view.at, view.seq) == (0.0, 0.0, 0)
    assert (view.running_steps(), view.failed_steps(), view.resumed) == ([], [], [])
    assert not view.database_upgraded


def test_a_node_that_was_not_asked_yet_is_known_by_name_only(story: Story) -> None:
    assert story.view.nodes == {"N1": NodeView("N1"), "N2": NodeView("N2")}
    node = story.view.nodes["N1"]
    assert (node.version, node.doing, node.problem) == ("", "", "")
    assert (node.serving, node.left_out_at, node.left_out, node.asked) == (None, None, False, None)


def test_a_planned_step_is_pending_with_its_expected_time(story: Story) -> None:
    assert list(story.view.steps) == ["staging.download", STOP]
    step = story.view.steps[STOP]
    assert (step.id, step.phase, step.title, step.node) == (STOP, "stopping", "stop", "N1")
    assert (step.state, step.expected, step.attempt) == ("pending", 20.0, 0)
    assert (step.started, step.ended, step.waiting, step.waiting_since) == (None, None, "", None)
    assert (step.progress, step.error, step.log) == ("", {}, "")
    assert story.view.steps["staging.download"].node is None
    assert (story.view.running_steps(), story.view.failed_steps()) == ([], [])


def test_a_new_plan_replaces_the_old_one(story: Story) -> None:
    step = {"id": "staging.stage@N2", "phase": "staging", "title": "t", "node": "N2", "seconds": 1}
    story.tell("plan", from_version="1.1.0", to_version="3.0.0", steps=[step], estimate={"a": 1})
    view = story.view
    assert (list(view.steps), view.from_version, view.to_version) == (
        ["staging.stage@N2"], "1.1.0", "3.0.0",
    )  # fmt: skip
    assert view.plan["estimate"] == {"a": 1}


def test_a_step_under_way_shows_since_when_and_on_which_node(story: Story) -> None:
    story.begin(STOP)
    step = story.view.steps[STOP]
    assert (step.state, step.attempt, step.started, step.ended) == ("running", 1, story.at, None)
    assert (step.title, step.expected) == ("stop", 20.0), "as planned"
    assert (story.view.nodes["N1"].doing, story.view.nodes["N2"].doing) == ("stop", "")
    story.end(STOP, after=7.0)
    step = story.view.steps[STOP]
    assert (step.state, step.started, step.ended) == ("done", story.at - 7.0, story.at)
    assert story.view.nodes["N1"].doing == ""


def test_a_step_that_no_plan_names_is_shown_with_what_its_event_tells(story: Story) -> None:
    story.begin("rolling_back.start@N2", attempt=3)
    step = story.view.steps["rolling_back.start@N2"]
    assert (step.phase, step.title, step.node) == ("rolling_back", "rolling_back.start@N2", "N2")
    assert (step.expected, step.attempt, step.state) == (10.0, 3, "running")
    assert story.view.earlier == []


def test_a_step_of_the_cluster_is_no_node_s_doing(story: Story) -> None:
    story.begin(STOP).begin("staging.download")
    assert [n.doing for n in story.view.nodes.values()] == ["stop", ""]
    story.end("staging.download")
    assert [n.doing for n in story.view.nodes.values()] == ["stop", ""]
    assert [s.id for s in story.view.running_steps()] == [STOP]


def test_what_is_waited_for_is_shown_since_it_is(story: Story) -> None:
    story.begin(STOP)
    story.tell("step.waiting", after=5.0, step=STOP, node="N1", reason="3 tasks running")
    since = story.at
    story.tell("step.progress", after=60.0, step=STOP, node="N1", text="tasks", done=3, total=None)
    step = story.view.steps[STOP]
    assert (step.waiting, step.waiting_since) == ("3 tasks running", since)
    story.tell("step.waiting", step=STOP, node="N1", reason="")
    assert story.view.steps[STOP].waiting == ""


@pytest.mark.parametrize("how", ["end", "begin again"])
def test_a_wait_and_a_progress_are_over_with_their_attempt(story: Story, how: str) -> None:
    story.begin(STOP)
    story.tell("step.waiting", step=STOP, node="N1", reason="the service stops")
    story.tell("step.progress", step=STOP, node="N1", text="half", done=1, total=2)
    if how == "end":
        story.end(STOP)
    else:
        story.begin(STOP)
    step = story.view.steps[STOP]
    assert (step.waiting, step.progress) == ("", "")


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (1, 4, "copying 25%"),
        (0, 4, "copying 0%"),
        (4, 4, "copying 100%"),
        (3, None, "copying"),
        (None, 4, "copying"),
        (0, 0, "copying"),
    ],
)
def test_progress_has_a_share_where_one_can_be_told(
    story: Story, done: int | None, total: int | None, shown: str
) -> None:
    story.begin(STOP)
    story.tell("step.progress", step=STOP, node="N1", text="copying", done=done, total=total)
    assert story.view.steps[STOP].progress == shown


def test_a_second_attempt_begins_anew_and_the_first_is_remembered(story: Story) -> None:
    assert story.begin(STOP).view.earlier == []
    story.end(STOP, "failed")
    failed_at = story.at
    story.begin(STOP, attempt=2, after=100.0)
    view = story.view
    step = view.steps[STOP]
    assert (step.state, step.attempt, step.started, step.ended) == ("running", 2, story.at, None)
    assert step.error == {}
    [first] = view.earlier
    assert (first.state, first.attempt, first.ended) == ("failed", 1, failed_at)
    assert first.error == {"what": "1603"}


def test_a_step_whose_process_died_does_not_run_for_ever(story: Story) -> None:
    """It is begun again, or the run goes another way: then nobody saw the end of it."""
    story.enter("stopping").begin(STOP)
    story.tell("step.waiting", step=STOP, node="N1", reason="the service stops")
    story.resume(after=100.0).enter("needs_person", "stopping")
    view = story.view
    step = view.steps[STOP]
    assert (step.state, step.ended, step.waiting, step.progress) == ("interrupted", None, "", "")
    assert (view.running_steps(), view.nodes["N1"].doing) == ([], "")
    assert view.failed_steps() == [], "whether it failed is not known: the next attempt looks"
    story.begin(STOP, attempt=2)
    assert [s.id for s in story.view.running_steps()] == [STOP]
    assert [s.state for s in story.view.earlier] == ["interrupted"]


def test_a_step_of_the_cluster_whose_process_died_does_not_run_for_ever(story: Story) -> None:
    story.enter("staging").begin("staging.download").resume().enter("aborted")
    assert story.view.running_steps() == []
    assert story.view.steps["staging.download"].state == "interrupted"


def test_where_the_installer_s_log_lies_is_shown_of_a_step_that_succeeded(story: Story) -> None:
    step = "installing.install@N1"
    log = "C:/ProgramData/octotui/jobs/r1/msi.log"
    story.begin(step).tell("step.ended", step=step, outcome="done", result={"log": log})
    assert story.view.steps[step].log == log
    story.begin(step).tell("step.ended", step=step, outcome="failed", error={"what": "1603"})
    failed = story.view.steps[step]
    assert (failed.log, failed.error, failed.state) == ("", {"what": "1603"}, "failed")
    story.begin(step).tell("step.ended", step=step, outcome="already", result={})
    assert (story.view.steps[step].log, story.view.steps[step].error) == ("", {})


def test_only_failed_and_interrupted_steps_need_attention(story: Story) -> None:
    for step, outcome in (("staging.download", "interrupted"), ("maintenance.on", "failed")):
        story.begin(step).end(step, outcome)
    story.do("draining.drain@N1").begin("draining.wait").end("draining.wait", "already")
    story.begin("stopping.park@N2")
    assert [s.id for s in story.view.failed_steps()] == ["staging.download", "maintenance.on"]
    assert [s.id for s in story.view.running_steps()] == ["stopping.park@N2"]


def test_a_cluster_s_failed_step_stays_failed_whoever_is_left_out(story: Story) -> None:
    story.begin("installing.backup").end("installing.backup", "failed")
    story.begin("installing.install@N2").end("installing.install@N2", "failed")
    story.tell("node.left-out", node="N2")
    assert [s.id for s in story.view.failed_steps()] == ["installing.backup"]
    assert [n.left_out for n in story.view.nodes.values()] == [False, True]
    assert story.view.nodes["N2"].left_out_at == story.at


@pytest.mark.parametrize(
    ("step", "outcome", "upgraded"),
    [
        ("migrating.database@N1", "done", True),
        ("migrating.database@N1", "already", True),
        ("migrating.database@N1", "failed", False),
        ("migrating.database@N1", "interrupted", False),
        ("migrating.check@N1", "done", False),
        ("installing.backup", "done", False),
    ],
)
def test_the_database_is_upgraded_by_its_one_upgrade_only(
    story: Story, step: str, outcome: str, upgraded: bool
) -> None:
    story.begin(step).end(step, outcome)
    assert story.view.database_upgraded is upgraded


def test_a_copy_goes_on_by_itself(story: Story) -> None:
    story.read("N1").tell("finding", check="versions", result="pass")
    story.tell("facts.problem", node="N2", problem="no answer", kind="x", advice="")
    story.enter("stopping").begin(STOP).end(STOP, "failed").begin(STOP, attempt=2)
    story.tell("plugin.problem", plugin="p", problem="p is broken")
    story.tell("command", command="hold", argument="", by="ann", answer="", hold=["joining"])
    story.resume()
    seen = story.view
    copied, as_it_was = seen.copy(), story.view
    assert copied == seen
    later = len(story.events)
    story.read("N2").tell("finding", check="disk", result="fail").enter("needs_person", "stopping")
    story.end(STOP, "failed").begin(STOP, attempt=3).begin("stopping.stop@N2").resume()
    story.tell("plugin.problem", plugin="p", problem="again")
    story.tell("command", command="retry", argument="", by="bob", answer="", hold=[])
    story.tell("run.ended", outcome="held", exit_code=4, lines=["Held."])
    for event in story.events[later:]:
        seen.apply(event)
    seen.lines.append("more")
    assert copied == as_it_was
    assert seen != copied


def test_a_step_s_place_in_a_copy_is_its_own() -> None:
    view = RunView(steps={"a.b": StepView("a.b", "a", "t", None)}, lines=["Look."])
    copied = view.copy()
    copied.steps["a.b"].state = "running"
    copied.lines.append("More.")
    assert view.steps["a.b"].expected == 0.0, "nothing is expected of what nobody planned"
    assert (view.steps["a.b"].state, view.lines) == ("pending", ["Look."])
