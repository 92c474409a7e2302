"""The decision table: every state, every trigger, every mark, against what must always hold."""

from __future__ import annotations

import itertools

import pytest

from octotui.upgrade.machine import STATES, TRIGGERS, Marks, RunMachine, TriggerRefused
from octotui.upgrade.phases import BY_NAME, FINAL, HOLDABLE, WAITING, sequence

FLAGS = (
    "changed",
    "schema_unchanged",
    "old_package",
    "backs_out",
    "wants_rollback",
    "wants_abort",
    "can_leave_out",
)


def machines(cluster: bool, state: str):
    waits = ("", *HOLDABLE, "rolling_back") if state in WAITING else ("",)
    phase_after = dict(itertools.pairwise(sequence(cluster)))
    holds = [frozenset(), frozenset({phase_after.get(state, "staging")})]
    machine = RunMachine(cluster, lambda *_: None, state)
    for values in itertools.product((False, True), repeat=len(FLAGS)):
        for waiting in waits:
            for hold in holds:
                marks = Marks(**dict(zip(FLAGS, values, strict=True)))
                marks.waiting_phase = waiting
                marks.hold = hold
                machine.marks = marks
                yield machine


@pytest.mark.parametrize("cluster", [False, True], ids=["single", "cluster"])
@pytest.mark.parametrize("state", STATES)
def test_every_trigger_under_every_mark(state: str, cluster: bool) -> None:
    for machine in machines(cluster, state):
        for trigger in TRIGGERS:
            target = machine.leads_to(trigger)
            judge(machine, trigger, target)
            machine.state = state
            if target is None:
                with pytest.raises(TriggerRefused):
                    machine.fire(trigger)
                assert machine.state == state
            else:
                assert machine.fire(trigger) == target, "transitions disagrees with the table"
            machine.state = state


def judge(machine: RunMachine, trigger: str, target: str | None) -> None:
    """What must hold whatever the table says."""
    marks, state = machine.marks, machine.state
    if state in FINAL:
        assert target is None
    if target is None:
        return
    if not machine.cluster:
        assert target != "joining"
    if target == "rolling_back":
        assert (state == "needs_person" and trigger == "retry") or (
            marks.changed and marks.schema_unchanged and marks.old_package
        )
    if target == "aborted":
        assert state in ("preflight", "ready") or not marks.changed
    if target == "failed":
        assert state in ("preflight", "ready") or not marks.changed
    if target == "succeeded":
        assert (state, trigger) == ("finishing", "done")
    if target == "rolled_back":
        assert (state, trigger) == ("rolling_back", "done")
    if target in BY_NAME and BY_NAME[target].changes and target != "rolling_back":
        phases = sequence(machine.cluster)
        before = phases[phases.index(target) - 1]
        came_from = {before, target} if state not in WAITING else {marks.waiting_phase}
        assert (state if state not in WAITING else marks.waiting_phase) in came_from
        if state == before:
            assert target not in marks.hold
    if target == "held":
        assert trigger in ("done", "approve")
        assert marks.hold
    if trigger == "fail" and marks.backs_out:
        assert target != "needs_person" or state == "rolling_back" or marks.changed


def test_the_state_does_not_change_when_writing_ahead_fails() -> None:
    def full_disk(*_: str) -> None:
        raise OSError("no space left on device")

    machine = RunMachine(True, full_disk)
    with pytest.raises(OSError, match="no space"):
        machine.fire("done")
    assert machine.state == "preflight"


def test_a_refusal_names_what_is_possible() -> None:
    machine = RunMachine(True, lambda *_: None, "held", Marks(changed=True))
    machine.marks.waiting_phase = "migrating"
    with pytest.raises(TriggerRefused, match="Possible now: release, rollback"):
        machine.fire("retry")


def test_a_cluster_goes_through_all_phases_and_a_single_server_joins_nobody() -> None:
    for cluster in (False, True):
        machine = RunMachine(cluster, lambda *_: None)
        seen = []
        while machine.state not in FINAL:
            seen.append(machine.state)
            machine.fire("approve" if machine.state == "ready" else "done")
        assert tuple(seen) == sequence(cluster)
        assert machine.state == "succeeded"
        assert ("joining" in seen) is cluster
