"""The run as a whole in the view: its state, holds, facts, problems, its end and its resumption."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from octotui.api.events import Event
from octotui.view import NotUnderstood, RunView, fold, take
from tests.unit.view_story import Story


@pytest.fixture
def story() -> Story:
    return Story()


def test_how_a_run_began_is_shown() -> None:
    data = {
        "profile": "/p/eu.toml", "cluster": "https://eu", "pid": 7, "nodes": ["N2", "N1"],
        "hold": ["migrating", "joining"],
    }  # fmt: skip
    view = fold([Event(1, 5.0, "r1", "run", "run.started", data)])
    assert (view.run, view.seq, view.profile, view.cluster) == ("r1", 1, "/p/eu.toml", "https://eu")
    assert (view.pid, view.started, view.state, view.state_since) == (7, 5.0, "preflight", 5.0)
    assert (view.hold, list(view.nodes), view.at) == (("migrating", "joining"), ["N2", "N1"], 5.0)
    assert (view.ended_at, view.outcome, view.changed) == (None, "", False)


def test_a_run_of_an_older_octotui_has_no_profile_and_holds_before_nothing(story: Story) -> None:
    assert (story.view.profile, story.view.hold) == ("", ())


def test_a_state_is_shown_since_it_was_entered(story: Story) -> None:
    story.enter("ready", changed=False)
    ready = story.at
    story.enter("needs_person", "stopping")
    waits = story.at
    story.do("stopping.stop@N1", after=50.0)
    view = story.view
    assert (view.state, view.state_since, view.waiting_phase) == ("needs_person", waits, "stopping")
    assert view.entered == [(ready, "ready"), (waits, "needs_person")]
    story.enter("stopping")
    assert story.view.waiting_phase == ""


def test_once_changed_a_cluster_stays_changed(story: Story) -> None:
    story.tell("state", to="ready", waiting_phase="")  # an older octotui's
    assert story.view.changed is False
    story.enter("maintenance", changed=True)
    story.tell("state", to="draining", waiting_phase="")
    assert story.view.changed


def test_findings_stay_until_the_checks_are_made_again(story: Story) -> None:
    story.tell("finding", check="versions", result="pass")
    story.tell("finding", check="disk-space", result="warn").enter("ready", changed=False)
    assert [f["check"] for f in story.view.findings] == ["versions", "disk-space"]


def test_facts_of_a_node_are_those_of_the_newest_answer(story: Story) -> None:
    story.tell("facts.cluster", version="1.0.0-cluster")
    assert story.view.from_version == "1.0.0-cluster"
    story.tell("facts.problem", node="N1", problem="no answer", kind="x", advice="")
    assert story.view.nodes["N1"].problem == "no answer"
    assert (story.view.nodes["N1"].asked, story.view.facts) == (None, {})
    story.read("N1", version="0.9.0")
    node = story.view.nodes["N1"]
    assert (node.version, node.problem, node.asked, node.serving) == ("0.9.0", "", story.at, True)
    assert story.view.facts["N1"]["version"] == "0.9.0"
    story.read("N1", state="stopped")
    assert story.view.nodes["N1"].serving is False
    assert story.view.nodes["N2"].serving is None


def test_one_running_service_of_several_is_enough(story: Story) -> None:
    services = {"services": [{"state": "stopped"}, {"state": "running"}]}
    story.tell("facts.node", node="N1", version="1.0.0", services=services)
    assert story.view.nodes["N1"].serving is True


def test_facts_that_are_missing_and_no_node_s_are_no_node_s_problem(story: Story) -> None:
    story.tell("facts.problem", about="target", problem="no such version")
    assert [n.problem for n in story.view.nodes.values()] == ["", ""]


def test_problems_are_those_of_vetoes_and_plugins_in_their_order(story: Story) -> None:
    story.tell("plugin.problem", plugin="p", problem="p is broken")
    story.tell("phase.vetoed", phase="stopping", reasons=["it is Friday", "no change is open"])
    story.tell("plugin.problem", plugin="q", problem="q as well")
    assert story.view.problems == ["p is broken", "it is Friday", "no change is open", "q as well"]


def test_what_people_ordered_is_shown_with_its_time_and_what_is_held_before(story: Story) -> None:
    story.tell("command", command="hold", argument="", by="ann", answer="ok", hold=["joining"])
    at = story.at
    story.tell("command", command="approve", argument="", by="bob", answer="approved")
    view = story.view
    assert [(c["command"], c["by"]) for c in view.commands] == [("hold", "ann"), ("approve", "bob")]
    assert view.commands[0]["at"] == at
    assert view.hold == ("joining",), "an older octotui's command says nothing of holds"
    story.tell("command", command="release", argument="all", by="ann", answer="", hold=[])
    assert story.view.hold == ()


def test_an_end_is_shown_with_its_lines_and_its_time(story: Story) -> None:
    story.tell("run.ended", outcome="succeeded", exit_code=0, lines=["Upgraded.", "Report: x"])
    view = story.view
    assert (view.outcome, view.exit_code, view.ended_at) == ("succeeded", 0, story.at)
    assert view.lines == ["Upgraded.", "Report: x"]


@pytest.mark.parametrize(
    ("state", "over"),
    [("succeeded", True), ("aborted", True), ("rolled_back", True), ("failed", True),
     ("held", False), ("needs_person", False), ("ready", False), ("joining", False)],
)  # fmt: skip
def test_a_run_is_over_in_a_state_that_it_does_not_leave(
    story: Story, state: str, over: bool
) -> None:
    assert story.enter(state).view.over is over


def test_a_run_that_is_resumed_goes_on_as_it_stood_with_the_time_that_it_missed(
    story: Story,
) -> None:
    story.tell("command", command="hold", argument="", by="ann", answer="", hold=["joining"])
    story.enter("needs_person", "stopping")
    story.tell("run.ended", outcome="needs_person", exit_code=4, lines=["Look."])
    died = story.at
    story.resume(after=3600.0)
    view = story.view
    assert (view.gaps, view.resumed, view.pid) == ([(died, story.at)], [story.at], 8)
    assert (view.outcome, view.holder, view.exit_code, view.ended_at) == ("", "", None, None)
    assert (view.lines, view.hold, view.state) == ([], ("joining",), "needs_person")
    story.resume(after=10.0, hold=[])
    assert (story.view.hold, len(story.view.gaps)) == ((), 2)
    assert story.view.resumed == [story.at - 10.0, story.at]


def test_a_refused_run_that_changed_nothing_is_over_when_it_was_refused(story: Story) -> None:
    refusal = {"holder": "r0", "what": "busy", "next": "Wait", "profile": "/p", "cluster": "https"}
    story.tell("run.refused", **refusal)
    view = story.view
    assert (view.outcome, view.exit_code, view.ended_at) == ("refused", 3, story.at)
    assert (view.holder, view.lines, view.problems) == ("r0", ["busy. Wait"], [])
    assert (view.cluster, view.profile) == ("http://octopus", "/p"), "what it said itself counts"


@pytest.mark.parametrize(("back", "told"), [(0.5, False), (1.0, False), (1.5, True)])
def test_a_clock_that_was_set_back_is_told_and_one_that_is_adjusted_is_not(
    story: Story, back: float, told: bool
) -> None:
    story.tell("plugin.problem", after=-back, plugin="p", problem="p")
    assert story.view.set_back is told
    story.tell("plugin.problem", after=100.0, plugin="p", problem="p")
    assert story.view.set_back is told, "it does not become right again"


def test_nothing_that_a_terminal_would_obey_is_shown(story: Story) -> None:
    story.tell("plugin.problem", plugin="p", problem="red: \x1b[31m")
    assert story.view.problems == ["red: \N{REPLACEMENT CHARACTER}[31m"]


def test_an_event_of_a_kind_that_nobody_knows_counts_and_changes_nothing(story: Story) -> None:
    before = story.view
    story.tell("weather", after=5.0, sky="blue")
    assert story.view == replace(before, seq=before.seq + 1, at=story.at)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("step.waiting", {"step": "no.such@step", "reason": "x"}),
        ("step.progress", {"step": "staging.download", "text": "x", "done": "a", "total": 2}),
        ("facts.node", {"node": "N1", "version": "1", "services": None}),
        ("run.resumed", {}),
        ("command", {"command": "hold", "hold": 7}),
    ],
)
def test_an_event_that_does_not_fit_says_which_and_what_can_be_saved(
    story: Story, kind: str, data: dict[str, Any]
) -> None:
    story.tell(kind, **data)
    with pytest.raises(NotUnderstood) as caught:
        fold(story.events)
    assert str(caught.value).startswith(f"event 3 of run r1 ({kind}) cannot be understood")
    assert caught.value.meaning == "The journal is damaged, or a newer octotui wrote it"
    assert caught.value.next_step == "octotui bundle r1 saves what can still be read of it"
    view = RunView()
    for event in story.events[:2]:
        take(view, event)
    with pytest.raises(NotUnderstood):
        take(view, story.events[2])
