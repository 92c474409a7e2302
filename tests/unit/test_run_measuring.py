"""What past runs tell of how long steps take, and which of them tell nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from octotui.run.directory import RunDirectory, state_folder
from octotui.run.journal import Journal
from octotui.run.measuring import NEWEST, past_measures

HERE = "installation-1"
INSTALL = "installing.install@OCTO1"


def attempt(
    step: str, seconds: Any, outcome: str = "done", number: int = 1
) -> list[tuple[str, dict[str, Any]]]:
    """The events of one attempt of a step."""
    data = {"step": step, "attempt": number}
    return [
        ("step.started", data),
        ("step.ended", {**data, "seconds": seconds, "outcome": outcome}),
    ]


def past_run(
    run_id: str,
    *attempts: Sequence[tuple[str, dict[str, Any]]],
    installation_id: str = HERE,
    to_version: str = "2025.4.10428",
) -> RunDirectory:
    path = state_folder() / "runs" / run_id
    path.mkdir(parents=True)
    run = RunDirectory(path)
    journal = Journal(run.journal, run_id)
    journal.append("run", "plan", {"installation_id": installation_id, "to_version": to_version})
    for kind, data in [event for events in attempts for event in events]:
        journal.append(f"step:{data['step']}", kind, data)
    journal.close()
    return run


def measured(own_run: str = "none") -> dict[str, float]:
    """The last measure of each step."""
    return {name: measure.last for name, measure in past_measures(HERE, own_run).items()}


def test_no_run_measures_nothing() -> None:
    assert past_measures(HERE, "none") == {}


def test_last_median_best_and_worst_of_several_runs() -> None:
    for run, seconds in (("run-1", 90.0), ("run-2", 60.0), ("run-3", 70.0), ("run-4", 75.0)):
        past_run(run, attempt(INSTALL, seconds))
    measure = past_measures(HERE, "none")["installing.install"]
    assert (measure.runs, measure.last, measure.median) == (4, 75.0, 72.5)
    assert (measure.best, measure.worst) == (60.0, 90.0)


def test_of_several_nodes_the_slowest_counts() -> None:
    past_run(
        "run-1",
        attempt("joining.install@OCTO2", 70.0),
        attempt("joining.install@OCTO3", 95.0),
        attempt("joining.install@OCTO4", 80.0),
    )
    measure = past_measures(HERE, "none")["joining.install"]
    assert (measure.runs, measure.last, measure.best) == (1, 95.0, 95.0)


def test_the_first_node_is_measured_apart_from_the_others() -> None:
    past_run(
        "run-1",
        attempt("starting.serving@OCTO1", 140.0),
        attempt("joining.serving@OCTO2", 40.0),
    )
    assert measured() == {"joining.serving": 40.0, "starting.serving": 140.0}


def test_the_clusters_own_steps_are_measured() -> None:
    past_run("run-1", attempt("installing.backup", 61.0))
    assert measured() == {"installing.backup": 61.0}


@pytest.mark.parametrize("outcome", ["already", "failed", "interrupted"])
def test_what_was_not_done_is_no_measure(outcome: str) -> None:
    past_run("run-1", attempt(INSTALL, 3.0, outcome))
    assert past_measures(HERE, "none") == {}


def test_what_was_retried_went_on_half_way_and_is_no_measure() -> None:
    step = "migrating.database@OCTO1"
    past_run("run-1", attempt(step, 300.0, "failed"), attempt(step, 20.0, number=2))
    assert past_measures(HERE, "none") == {}


def test_of_a_retried_node_the_others_still_count() -> None:
    past_run(
        "run-1",
        attempt("joining.install@OCTO2", 9.0, "failed"),
        attempt("joining.install@OCTO3", 71.0),
        attempt("joining.install@OCTO2", 500.0, number=2),
    )
    assert measured() == {"joining.install": 71.0}


def test_what_another_process_took_up_after_hours_is_no_measure() -> None:
    step = "migrating.database@OCTO1"
    crashed = attempt(step, 0.0)[:1]
    past_run("run-1", attempt(INSTALL, 75.0), crashed, attempt(step, 2.0))
    assert measured() == {"installing.install": 75.0}


def test_a_node_that_was_left_out_counts_as_far_as_it_came() -> None:
    past_run(
        "run-1",
        attempt("joining.install@OCTO2", 90.0),
        attempt("joining.serving@OCTO2", 1800.0, "failed"),
        [("node.left-out", {"step": "", "node": "OCTO2"})],
        attempt("joining.install@OCTO3", 70.0),
        attempt("joining.serving@OCTO3", 50.0),
    )
    assert measured() == {"joining.install": 90.0, "joining.serving": 50.0}


def test_the_way_back_is_measured_under_its_own_names() -> None:
    past_run(
        "run-1",
        attempt("starting.serving@OCTO1", 1800.0, "failed"),
        attempt("rolling_back.serving@OCTO1", 45.0),
    )
    assert measured() == {"rolling_back.serving": 45.0}


def test_a_run_to_another_version_counts() -> None:
    past_run("run-1", attempt(INSTALL, 75.0), to_version="2024.1.5")
    assert measured() == {"installing.install": 75.0}


def test_another_cluster_and_the_own_run_do_not_count() -> None:
    past_run("run-1", attempt(INSTALL, 75.0))
    past_run("run-2", attempt(INSTALL, 10.0), installation_id="another")
    past_run("run-3", attempt(INSTALL, 20.0))
    assert measured(own_run="run-3") == {"installing.install": 75.0}


def test_the_newest_runs_that_carried_steps_out_count() -> None:
    for number in range(NEWEST + 2):
        past_run(f"run-{number:02}", attempt(INSTALL, float(number)))
    past_run("run-90", attempt(INSTALL, 1.0, "failed"))
    past_run("run-91")
    measure = past_measures(HERE, "none")["installing.install"]
    assert (measure.runs, measure.last) == (NEWEST, NEWEST + 1.0)
    assert (measure.best, measure.worst) == (2.0, NEWEST + 1.0)


def _no_database(run: RunDirectory) -> None:
    run.journal.write_bytes(b"this is no database")


def _no_plan(run: RunDirectory) -> None:
    run.journal.unlink()
    Journal(run.journal, run.run_id).close()


def _cut_off_event(run: RunDirectory) -> None:
    journal = Journal(run.journal, run.run_id)
    journal._db.execute("UPDATE event SET data = substr(data, 1, 9) WHERE kind = 'step.ended'")
    journal.close()


def _another_shape(run: RunDirectory) -> None:
    journal = Journal(run.journal, run.run_id)
    journal._db.execute("UPDATE event SET data = '[4]' WHERE kind = 'step.started'")
    journal.close()


def _ends(run: RunDirectory, **data: Any) -> None:
    """Appends a step of that end."""
    journal = Journal(run.journal, run.run_id)
    journal.append("step:x", "step.started", {**data, "attempt": 1})
    journal.append("step:x", "step.ended", data)
    journal.close()


def _words_for_seconds(run: RunDirectory) -> None:
    _ends(run, step="x.y", outcome="done", seconds="long")


def _number_for_a_step(run: RunDirectory) -> None:
    _ends(run, step=4, outcome="done", seconds=1.0)


def _no_outcome(run: RunDirectory) -> None:
    _ends(run, step="x.y", seconds=1.0)


DAMAGES = (
    _no_database,
    _no_plan,
    _cut_off_event,
    _another_shape,
    _words_for_seconds,
    _number_for_a_step,
    _no_outcome,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_passed_over(damage: Any) -> None:
    past_run("run-1", attempt(INSTALL, 75.0))
    damage(past_run("run-2", attempt(INSTALL, 1.0)))
    assert measured() == {"installing.install": 75.0}


@pytest.mark.parametrize("seconds", [-3600.0, float("inf"), float("nan")])
def test_a_clock_that_was_set_is_no_measure(seconds: float) -> None:
    past_run("run-1", attempt(INSTALL, seconds), attempt("installing.backup", 61.0))
    assert measured() == {"installing.backup": 61.0}


def test_looking_leaves_no_trace() -> None:
    run = past_run("run-1", attempt(INSTALL, 75.0))
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    past_measures(HERE, "none")
    assert {path: path.stat().st_mtime_ns for path in run.path.iterdir()} == before
