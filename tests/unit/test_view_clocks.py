"""The three clocks and what nodes serve, by hand: when they begin, when they stand, for whom."""

from __future__ import annotations

import pytest

from octotui.view import Clocks, RunView
from tests.unit.view_story import Story


@pytest.fixture
def story() -> Story:
    """Two nodes that serve, in maintenance mode."""
    return Story().read("N1").read("N2").do("maintenance.on")


def test_the_outage_begins_with_the_proof_of_the_last_stop(story: Story) -> None:
    story.begin("stopping.stop@N1").begin("stopping.stop@N2")
    assert story.view.clocks(story.at).outage is None
    story.end("stopping.stop@N1", after=20.0)
    assert story.view.clocks(story.at + 5.0).outage is None, "the other one still serves"
    story.end("stopping.stop@N2", after=30.0)
    assert story.view.clocks(story.at + 5.0).outage == 5.0
    assert [n.serving for n in story.view.nodes.values()] == [False, False]


def test_a_stop_that_failed_begins_no_outage(story: Story) -> None:
    story.begin("stopping.stop@N1").end("stopping.stop@N1", "failed")
    assert story.view.clocks(story.at).outage is None
    assert story.view.nodes["N1"].serving is True


def test_a_rollback_while_one_node_never_stopped_ends_no_outage(story: Story) -> None:
    story.do("stopping.stop@N1").begin("stopping.stop@N2").end("stopping.stop@N2", "failed")
    story.enter("rolling_back").do("rolling_back.serving@N1", after=60.0)
    clocks = story.view.clocks(story.at)
    assert (clocks.outage, clocks.all_up) == (None, None)
    assert [n.serving for n in story.view.nodes.values()] == [True, True]


def test_a_node_that_was_stopped_already_counts_as_stopped(story: Story) -> None:
    story.do("stopping.stop@N2").begin("stopping.stop@N1").end("stopping.stop@N1", "already")
    assert story.view.nodes["N1"].serving is False
    assert story.view.clocks(story.at + 1.0).outage == 1.0


def test_the_first_node_that_serves_ends_the_outage_and_the_last_all_of_it(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    stopped = story.at
    story.do("starting.serving@N1", after=100.0)
    first = story.at
    view = story.view
    assert (view.nodes["N1"].serving, view.nodes["N2"].serving) == (True, False)
    assert view.all_serving is None
    assert (view.clocks(first + 60.0).outage, view.clocks(first + 60.0).all_up) == (
        first - stopped, first + 60.0 - stopped,
    )  # fmt: skip
    story.begin("joining.serving@N2").end("joining.serving@N2", "already", after=40.0)
    clocks = story.view.clocks(story.at + 60.0)
    assert (clocks.outage, clocks.all_up) == (first - stopped, story.at - stopped)


def test_a_node_that_is_served_again_later_moves_no_clock(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2").do("starting.serving@N1")
    first = story.at
    story.begin("starting.serving@N1", attempt=2, after=50.0).end("starting.serving@N1", "already")
    assert story.view.first_serving == first


def test_serving_without_a_stop_before_it_is_the_end_of_no_outage(story: Story) -> None:
    story.do("rolling_back.serving@N1").do("rolling_back.serving@N2")
    clocks = story.view.clocks(story.at + 9.0)
    assert (clocks.outage, clocks.all_up) == (None, None)
    assert (story.view.first_serving, story.view.all_serving) == (None, None)


@pytest.mark.parametrize("phase", ["starting", "finishing", "rolling_back"])
def test_maintenance_mode_lasts_until_it_is_put_back(story: Story, phase: str) -> None:
    on = story.at
    assert story.view.clocks(on + 30.0) == Clocks(None, None, 30.0)
    story.do(f"{phase}.maintenance", after=50.0)
    off = story.at
    assert story.view.clocks(off + 1000.0).maintenance == off - on


def test_maintenance_mode_that_was_let_off_early_is_not_on_until_the_end(story: Story) -> None:
    """With ``reopen = "first-verified"`` users are let in before the other nodes join."""
    on = story.at
    story.do("stopping.stop@N1").do("stopping.stop@N2").do("starting.serving@N1")
    story.do("starting.maintenance", after=5.0)
    off = story.at
    story.do("joining.serving@N2", after=300.0).do("finishing.maintenance", after=60.0)
    assert story.view.clocks(story.at).maintenance == off - on


def test_maintenance_mode_that_is_set_again_is_on_since_the_first_time(story: Story) -> None:
    on = story.at
    story.do("maintenance.on", after=40.0)
    assert story.view.clocks(story.at).maintenance == story.at - on


def test_maintenance_mode_that_was_never_set_is_not_put_back() -> None:
    story = Story().do("finishing.maintenance")
    assert story.view.clocks(story.at) == Clocks(None, None, None)
    assert story.view.maintenance_off is None


def test_a_step_of_the_cluster_moves_the_clock_of_no_node(story: Story) -> None:
    story.do("stopping.stop").do("starting.serving").do("installing.install")
    assert story.view.clocks(story.at).outage is None
    assert [(n.serving, n.version) for n in story.view.nodes.values()] == [(True, "1.0.0")] * 2


def test_every_clock_stands_at_the_end_of_a_run(story: Story) -> None:
    on = story.at
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    stopped = story.at
    story.tell("run.ended", after=30.0, outcome="needs_person", exit_code=4, lines=["Look."])
    left = Clocks(30.0, 30.0, 30.0 + stopped - on)
    assert story.view.clocks(story.at + 5000.0) == left
    story.resume(after=70.0)
    assert story.view.clocks(story.at).outage == 100.0, "nobody served meanwhile"


def test_no_clock_runs_backwards() -> None:
    view = RunView(last_stop=100.0, maintenance_on=100.0)
    assert view.clocks(90.0) == Clocks(0.0, 0.0, 0.0)


def test_clocks_run_from_the_very_beginning_of_time() -> None:
    """Zero is a time like any other, and not the lack of one."""
    view = RunView(last_stop=0.0, first_serving=0.0, all_serving=4.0)
    assert view.clocks(9.0) == Clocks(0.0, 4.0, None)


@pytest.mark.parametrize(
    ("step", "version"),
    [
        ("installing.install@N1", "2.0.0"),
        ("joining.install@N1", "2.0.0"),
        ("rolling_back.reinstall@N1", "1.0.0"),
        ("installing.last-seen@N1", "1.0.0"),
    ],
)
def test_an_installer_that_succeeded_brings_its_version(
    story: Story, step: str, version: str
) -> None:
    story.do(step)
    assert story.view.nodes["N1"].version == version
    assert story.view.nodes["N2"].version == "1.0.0"


def test_a_rollback_ends_the_outage_too(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2")
    stopped = story.at
    story.do("installing.install@N1").enter("rolling_back")
    for node in story.view.nodes:
        story.begin(f"rolling_back.reinstall@{node}")
        story.end(f"rolling_back.reinstall@{node}", "already")
    for node in story.view.nodes:
        story.do(f"rolling_back.serving@{node}", after=10.0)
    view = story.view
    assert {(n.version, n.serving) for n in view.nodes.values()} == {("1.0.0", True)}
    assert view.clocks(story.at + 99.0).all_up == story.at - stopped


@pytest.mark.parametrize("found", ["running", "stopped"])
def test_all_serve_when_those_do_that_did_before(found: str) -> None:
    story = Story(["N1", "N2", "N3"])
    nodes = [{"name": "N1", "running": True}, {"name": "N2"},
             {"name": "N3", "running": found == "running"}]  # fmt: skip
    story.tell("plan", from_version="1", to_version="2", steps=[], estimate={}, nodes=nodes)
    for node in ("N1", "N2", "N3"):
        story.do(f"stopping.stop@{node}")
    story.do("starting.serving@N1")
    assert story.view.all_serving is None, "N2 is not said to have been stopped"
    story.do("joining.serving@N2")
    assert story.view.all_serving == (story.at if found == "stopped" else None)


def test_a_node_left_out_before_the_first_serves_is_not_waited_for_later(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2").tell("node.left-out", node="N2")
    assert story.view.all_serving is None
    story.do("starting.serving@N1", after=90.0)
    assert story.view.all_serving == story.at


def test_all_serve_since_the_last_of_them_was_proved_to() -> None:
    """Whichever is left out, and whatever else was done after it."""
    story = Story(["N1", "N2", "N3"])
    for node in ("N1", "N2", "N3"):
        story.do(f"stopping.stop@{node}")
    story.do("starting.serving@N1").do("joining.serving@N2", after=70.0)
    proved = story.at
    story.begin("joining.serving@N3").end("joining.serving@N3", "failed", after=300.0)
    story.do("joining.unpark@N2", after=20.0).tell("node.left-out", after=900.0, node="N3")
    assert story.view.all_serving == proved


def test_a_proof_that_fails_later_takes_no_clock_back(story: Story) -> None:
    for node in ("N1", "N2"):
        story.do(f"stopping.stop@{node}")
    for node in ("N1", "N2"):
        story.do(f"joining.serving@{node}", after=30.0)
    served = story.at
    for node in ("N1", "N2"):
        story.begin(f"joining.serving@{node}").end(f"joining.serving@{node}", "failed")
    story.tell("node.left-out", node="N2")
    assert story.view.all_serving == served


def test_where_only_nodes_are_left_that_serve_no_more_nothing_is_told(story: Story) -> None:
    story.do("stopping.stop@N1").do("stopping.stop@N2").do("starting.serving@N1")
    story.begin("starting.serving@N1", attempt=2).end("starting.serving@N1", "failed")
    story.tell("node.left-out", node="N2")
    assert story.view.all_serving is None
