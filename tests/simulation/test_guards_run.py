"""The engine's own guards: what it journals first, what it believes, and what it lets people do.

Whole runs at the ports, each with one thing wrong, judged by the lab's truth and the run's words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from octotui.api.errors import CredentialsRefused, NodeError, OctotuiError, Unreachable
from octotui.api.events import Event
from octotui.run.directory import state_folder
from octotui.run.journal import Journal
from octotui.upgrade.plan import Options
from tests.rehearsal import (
    Killed,
    assert_as_found,
    assert_upgraded,
    changes,
    failures,
    order,
    started,
    state_is,
)
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome
from tests.support.oracle import problems
from tests.support.port_estate import PortEstate, play_at_ports, port_run, rarely
from tests.support.ports import Moment, nothing_happens

__all__ = ["rarely"]
pytestmark = pytest.mark.usefixtures("rarely")


class Watched(Journal):
    """Calls ``seen`` with each event once it is durable; what that raises ends the runner."""

    def __init__(self, inner: Journal, seen: Callable[[Event], None]) -> None:
        self.__dict__.update(inner.__dict__)
        self._seen = seen

    def append(self, subject: str, kind: str, data: Mapping[str, Any] | None = None) -> Event:
        event = super().append(subject, kind, data)
        self._seen(event)
        return event


def dies_at(kind: str, **wanted: Any) -> Callable[[Event], None]:
    """The runner dies once it has journalled an event like this."""

    def seen(event: Event) -> None:
        if event.kind == kind and all(event.data.get(k) == v for k, v in wanted.items()):
            raise Killed

    return seen


async def killed(estate: PortEstate, kind: str, **wanted: Any) -> None:
    with pytest.raises(Killed):
        await estate.attempt(journal=Watched(estate.journal(), dies_at(kind, **wanted)))


def file_away(estate: PortEstate, run_id: str = "run-1") -> None:
    """Puts an open run's journal where runs lie, without its logs."""
    place = state_folder() / "runs" / run_id
    place.mkdir(parents=True)
    for file in estate.folder.glob(f"{run_id}.db*"):
        file.rename(place / file.name.replace(run_id, "run"))


def drain_by_hand(estate: PortEstate, node: str, draining: bool) -> None:
    estate.lab.set_node(node, draining=draining, task_cap=5)
    estate.lab.cluster.truth.actions[-1]["detail"]["by"] = "somebody"


def sane(estate: PortEstate, outcome: Outcome) -> Outcome:
    assert problems(estate, outcome) == []
    return outcome


# --- write ahead ---


@pytest.mark.parametrize(
    ("phase", "changed"),
    [
        ("staging", False),
        ("maintenance", True),
        ("draining", True),
        ("stopping", True),
        ("installing", True),
        ("migrating", True),
    ],
)
def test_a_run_that_died_as_it_began_to_change_things_keeps_others_out(
    tmp_path: Path, phase: str, changed: bool
) -> None:
    """It is known from the first change on, not from the end of the phase that made it."""

    async def play(estate: PortEstate) -> Outcome:
        await killed(estate, "state", to=phase)
        file_away(estate)
        return await estate.attempt("run-2")

    outcome = play_at_ports(tmp_path, play, nodes=1)
    if changed:
        assert (outcome.last.kind, outcome.code) == ("run.refused", 3)
        assert outcome.last.data["holder"] == "run-1"
        assert outcome.last.data["what"] == "run run-1 has changed this cluster and has not ended"
        assert "octotui resume run-1" in outcome.last.data["next"]
        assert [e.kind for e in outcome.events] == ["run.refused"]
    else:
        assert_upgraded(outcome)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("step.noted", {"note": "begun"}), ("step.progress", {"node": "OCTO1"})],
    ids=["before the migrator was started", "while it ran"],
)
def test_a_runner_that_died_at_the_migrator_does_not_roll_back(
    tmp_path: Path, kind: str, wanted: dict[str, Any]
) -> None:
    """Asked for a rollback the next runner does not guess: whether the schema changed is open."""

    async def play(estate: PortEstate) -> Outcome:
        def dies(event: Event) -> None:
            late = "migrating" in str(event.data.get("step"))
            if event.kind == kind and late and event.data.items() >= wanted.items():
                raise Killed

        with pytest.raises(Killed):
            await estate.attempt(journal=Watched(estate.journal(), dies))
        journal = estate.journal()
        journal.command("rollback", "", "tester")
        journal.close()
        outcome = await estate.attempt()
        assert (outcome.state, outcome.code) == ("needs_person", 4)
        assert "control run-1 rollback" not in outcome.lines
        assert outcome.actions("msi-uninstall") == []
        return sane(estate, await estate.attempt())

    assert_upgraded(play_at_ports(tmp_path, play, nodes=2))


def test_the_rollback_looks_at_the_schema_again_each_time(tmp_path: Path) -> None:
    """What was true at the first try says nothing about the second."""

    async def play(estate: PortEstate) -> Outcome:
        estate.lab.add_fault("node2:msi-exit=1603,times=2")
        first = await estate.attempt()
        assert (first.state, first.code) == ("needs_person", 4), first.lines
        assert "rolling_back.schema" in [
            e.data["step"] for e in first.events if e.kind == "step.ended"
        ]
        estate.lab.cluster.database.history.insert(0, (TARGET, 0.0))
        estate.lab.cluster.database.schema_version = TARGET
        installs = len(estate.lab.truth()["actions"])
        second = await estate.attempt()
        made = {a["action"] for a in second.truth["actions"][installs:]}
        assert made == set(), "nothing may be put back onto another schema"
        return second

    options = Options(rollout="all-nodes")
    outcome = play_at_ports(tmp_path, play, nodes=2, options=options)
    assert (outcome.state, outcome.code) == ("needs_person", 4)
    assert "refused to roll back without a restore: the database is 2025.4.10428" in outcome.lines


def test_a_stop_is_looked_at_again_by_the_next_runner(tmp_path: Path) -> None:
    """Between the last look and the first stop the runner died, and somebody undrained a node."""

    async def play(estate: PortEstate) -> Outcome:
        await killed(estate, "step.ended", step="stopping.ready")
        drain_by_hand(estate, "OCTO2", False)
        outcome = await estate.attempt(backs_out=False)
        assert "OCTO2 is not drained any more" in outcome.lines
        assert outcome.actions("service-stop") == []
        drain_by_hand(estate, "OCTO2", True)
        await asyncio.sleep(60)
        return sane(estate, await estate.attempt())

    assert_upgraded(play_at_ports(tmp_path, play, nodes=2))


def test_stops_that_were_begun_go_on_without_the_api(tmp_path: Path) -> None:
    """The API went down with the first node: what is half stopped is stopped."""

    async def play(estate: PortEstate) -> Outcome:
        await killed(estate, "step.ended", step="stopping.stop@OCTO1")
        return sane(estate, await estate.attempt())

    assert_upgraded(play_at_ports(tmp_path, play, nodes=3))


def test_a_stop_that_never_reached_its_node_is_looked_at_again(tmp_path: Path) -> None:
    """Every node still serves, and meanwhile somebody undrained one."""

    async def play(estate: PortEstate) -> Outcome:
        def refused(moment: Moment, call: str) -> None:
            if moment == "before" and call.endswith("job-start stop"):
                raise CredentialsRefused("the account is locked", node=call[:5])

        estate.hook = refused
        first = await estate.attempt(backs_out=False)
        assert first.state == "needs_person"
        drain_by_hand(estate, "OCTO2", False)
        estate.hook = nothing_happens
        outcome = await estate.attempt(backs_out=False)
        assert "OCTO2 is not drained any more" in outcome.lines
        assert outcome.actions("service-stop") == []
        drain_by_hand(estate, "OCTO2", True)
        await asyncio.sleep(60)
        return sane(estate, await estate.attempt())

    assert_upgraded(play_at_ports(tmp_path, play, nodes=2))


# --- order and dependence ---


def test_nothing_begins_whose_precondition_failed(tmp_path: Path) -> None:
    outcome = port_run(tmp_path, nodes=2, faults=["database:backup-fails"])
    assert outcome.state == "rolled_back"
    begun = [e.data["step"] for e in outcome.events if e.kind == "step.started"]
    assert not [step for step in begun if step.startswith(("migrating", "starting"))]


def test_an_installer_on_another_node_is_never_cut_off(tmp_path: Path) -> None:
    options = Options(rollout="all-nodes")
    faults = ["node1:msi-exit=1602,times=1"]
    outcome = port_run(tmp_path, nodes=2, faults=faults, options=options)
    assert "installing.install@OCTO1" in failures(outcome)
    ended = [e.data for e in outcome.events if e.kind == "step.ended"]
    (other,) = [d for d in ended if d["step"] == "installing.install@OCTO2"]
    assert other["outcome"] == "done"
    assert_as_found(outcome)


def test_a_failure_says_everything_to_the_person(tmp_path: Path) -> None:
    outcome = port_run(
        tmp_path, nodes=2, faults=["node1:msi-exit=1603"], settings={"backs_out": False}
    )
    error = failures(outcome)["installing.install@OCTO1"]
    assert error["tail"][-1] == "Action ended: InstallFinalize. Return value 3."
    log = (tmp_path / "logs" / "OCTO1-run-1.msi-target.1.log").read_text()
    assert "MainEngineThread is returning 1603" in log
    lines = outcome.lines.splitlines()
    assert lines[0] == "Needs a person: installing did not end well; maintenance mode is on."
    assert lines[1].startswith("OCTO1: the installation ended with exit code 1603: Windows Inst")
    assert "Stopped and parked: OCTO1, OCTO2." in lines
    assert "When the cause is put right: octotui resume run-1" in lines
    assert (
        "Or put the old version back: octotui control run-1 rollback, then octotui resume run-1"
        in lines
    )


def test_a_log_that_cannot_be_read_is_said_and_harms_nothing(tmp_path: Path) -> None:
    def unreadable(moment: Moment, call: str) -> None:
        if moment == "before" and call == "OCTO1 log":
            raise NodeError("the file is locked", node="OCTO1")

    outcome = port_run(
        tmp_path,
        nodes=1,
        faults=["node1:msi-exit=1603"],
        hook=unreadable,
        settings={"backs_out": False},
    )
    error = failures(outcome)["installing.install@OCTO1"]
    assert error["tail"] == ["(the log on the node could not be read: the file is locked)"]


def test_a_defect_of_ours_stops_a_step_and_not_the_run(tmp_path: Path) -> None:
    def broken(moment: Moment, call: str) -> None:
        if moment == "before" and call == "OCTO1 job-start msi-install":
            raise ZeroDivisionError("a defect")

    outcome = port_run(tmp_path, nodes=1, hook=broken, settings={"backs_out": False})
    error = failures(outcome)["installing.install@OCTO1"]
    assert error["what"] == "an internal error: ZeroDivisionError: a defect"
    assert error["node"] == "OCTO1"
    assert error["meaning"] == "This is a defect of octotui or a plugin, not of your cluster"
    assert error["outcome_known"] is False
    assert "ZeroDivisionError" in (tmp_path / "logs" / "OCTO1.log").read_text()
    assert (outcome.state, outcome.code) == ("needs_person", 4)


def test_what_cannot_be_looked_at_is_not_repeated(tmp_path: Path) -> None:
    """R9: a step whose outcome is in doubt waits for a person."""

    async def play(estate: PortEstate) -> Outcome:
        first = await estate.attempt(backs_out=False)
        assert first.state == "needs_person"
        estate.lab.remove_fault("database", "upgrade-fails")
        estate.lab.add_fault("database:down")
        upgrades = first.actions("database-upgrade")
        outcome = await estate.attempt(backs_out=False)
        error = failures(outcome)["migrating.database@OCTO1"]
        assert error["what"].startswith(
            "whether this was done cannot be told: the database cannot be asked: A network"
        )
        assert (error["node"], error["next"]) == ("OCTO1", "Make it possible to look, then retry")
        assert error["outcome_known"] is False
        assert outcome.actions("database-upgrade") == upgrades
        estate.lab.remove_fault("database", "down")
        return await estate.attempt(backs_out=False)

    outcome = play_at_ports(tmp_path, play, nodes=1, faults=["database:upgrade-fails"])
    assert outcome.truth["database"]["upgrades"] == 1
    assert outcome.state == "succeeded"


def test_attempts_are_counted_and_named(tmp_path: Path) -> None:
    async def play(estate: PortEstate) -> Outcome:
        await estate.attempt(backs_out=False)
        return await estate.attempt(backs_out=False)

    outcome = play_at_ports(tmp_path, play, nodes=1, faults=["node1:msi-exit=1603,times=1"])
    tries = started(outcome, "installing.install@OCTO1")
    assert [e.data["attempt"] for e in tries] == [1, 2]
    assert [e.data["phase"] for e in tries] == ["installing"] * 2
    assert tries[0].data["expected_seconds"] == 75.0


# --- patience ---


@pytest.mark.parametrize(
    ("phase", "seconds", "survives"),
    [
        ("staging", 130, True),
        ("staging", 190, False),
        ("stopping", 1500, True),
        ("installing", 1500, True),
        ("joining", 1700, True),
        ("joining", 2100, False),
    ],
)
def test_a_node_out_of_reach_is_waited_for_by_how_far_the_run_has_come(
    tmp_path: Path, phase: str, seconds: float, survives: bool
) -> None:
    """Two minutes while all serve, half an hour once giving up would make an outage longer."""

    async def play(estate: PortEstate) -> Outcome:
        gone_until = [0.0]

        def seen(event: Event) -> None:
            if event.kind == "state" and event.data["to"] == phase:
                gone_until[0] = asyncio.get_running_loop().time() + seconds

        def away(moment: Moment, call: str) -> None:
            late = asyncio.get_running_loop().time() < gone_until[0]
            what = "OCTO2 prove" if phase == "staging" else "OCTO2 "
            if moment == "before" and call.startswith(what) and late:
                raise Unreachable("OCTO2 does not answer", node="OCTO2")

        estate.hook = away
        return await estate.attempt(journal=Watched(estate.journal(), seen), backs_out=False)

    outcome = play_at_ports(tmp_path, play, nodes=2)
    assert (outcome.state == "succeeded") is survives, outcome.lines
    if survives:
        waits = [e.data["reason"] for e in outcome.events if e.kind == "step.waiting"]
        assert any(reason.startswith("OCTO2 is out of reach") for reason in waits)


# --- people ---


def attended(
    folder: Path, person: Callable[[PortEstate, Journal], Any], **settings: Any
) -> Outcome:
    run = {"attended": True, "backs_out": False, **settings.pop("run", {})}

    async def play(estate: PortEstate) -> Outcome:
        outcome = await estate.attempt(during=lambda journal: person(estate, journal), **run)
        return sane(estate, outcome)

    return play_at_ports(folder, play, **settings)


def test_the_first_node_is_never_left_out(tmp_path: Path) -> None:
    """It upgrades the database: without it there is nothing to go on to."""

    async def person(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        answer = await order(journal, "leave-out", "OCTO1")
        assert answer.startswith("refused: 'leave-out' is not possible while the run is needs_p")
        assert "leave-out" not in answer.partition("Possible now:")[2]
        assert (await order(journal, "rollback")) == "the run is now rolling back"

    options = Options(rollout="all-nodes")
    faults = ["node1:msi-exit=1603,times=1"]
    outcome = attended(tmp_path, person, nodes=2, faults=faults, options=options)
    assert_as_found(outcome)


def test_a_node_that_failed_beside_the_first_one_is_not_left_out_either(tmp_path: Path) -> None:
    async def person(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        assert (await order(journal, "leave-out", "OCTO2")).startswith("refused: ")
        answer = await order(journal, "leave-out", "OCTO3")
        assert answer == "refused: OCTO3 has not failed here. Failed: OCTO1, OCTO2."
        await order(journal, "rollback")

    options = Options(rollout="all-nodes")
    faults = ["node1:msi-exit=1603,times=1", "node2:msi-exit=1603,times=1"]
    assert_as_found(attended(tmp_path, person, nodes=3, faults=faults, options=options))


def test_a_node_that_was_left_out_is_touched_no_more(tmp_path: Path) -> None:
    async def person(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        assert await order(journal, "leave-out", "OCTO2") == "goes on with joining, without OCTO2"

    outcome = attended(tmp_path, person, nodes=3, faults=["node2:msi-exit=1603"])
    assert (outcome.state, outcome.code) == ("succeeded", 0)
    first = outcome.lines.splitlines()[0]
    assert first == f"Upgraded {INSTALLED} to {TARGET}, without OCTO2."
    assert "OCTO2 was left out: stopped and parked." in outcome.lines
    assert [n for a, n in outcome.actions("service-start")] == ["OCTO1", "OCTO3"]
    (left,) = [e for e in outcome.events if e.kind == "node.left-out"]
    after = [e for e in outcome.events if e.seq > left.seq and e.subject.endswith("@OCTO2")]
    assert after == []


def test_an_abort_ends_a_run_only_while_nothing_was_changed(tmp_path: Path) -> None:
    async def early(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "staging")
        answer = await order(journal, "abort")
        assert answer == "takes effect when the steps that are running have ended"

    outcome = attended(tmp_path / "early", early, nodes=2)
    assert (outcome.state, outcome.code) == ("aborted", 1)
    assert changes(outcome) == []

    async def late(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "draining")
        answer = await order(journal, "abort")
        assert answer.startswith(
            "refused: the run has changed the cluster and cannot be aborted any more. "
            "Possible now: rollback"
        )
        assert await order(journal, "rollback") == (
            "takes effect when the steps that are running have ended"
        )

    outcome = attended(tmp_path / "late", late, nodes=2)
    assert_as_found(outcome)
    assert outcome.actions("service-stop") == []


def test_a_rollback_is_refused_where_there_is_nothing_to_roll_back(tmp_path: Path) -> None:
    async def person(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "staging")
        answer = await order(journal, "rollback")
        assert answer.startswith("refused: nothing was changed that could be rolled back")
        await state_is(journal, "joining")
        answer = await order(journal, "rollback")
        assert answer.startswith(
            "refused: the database is upgraded, so that only a restore of the backup leads back"
        )

    assert_upgraded(attended(tmp_path, person, nodes=2))


def test_after_the_database_upgrade_nothing_offers_a_rollback(tmp_path: Path) -> None:
    outcome = port_run(tmp_path, nodes=2, faults=["node2:msi-exit=1603"])
    assert (outcome.state, outcome.code) == ("needs_person", 4), "no rollback by itself either"
    assert "control run-1 rollback" not in outcome.lines
    assert (
        "Or go on without OCTO2, which stays as it stands, stopped and parked: "
        "octotui control run-1 leave-out OCTO2, then octotui resume run-1" in outcome.lines
    )
    assert "The database is upgraded: the way back is to restore the backup" in outcome.lines


def test_without_the_old_package_there_is_no_way_back_once_it_was_replaced(tmp_path: Path) -> None:
    """``--waive way-back`` does without; before the first installer nothing has to be put back."""

    async def play(estate: PortEstate) -> Outcome:
        def gone(moment: Moment, call: str) -> None:
            if call == f"source locate {INSTALLED}":
                raise OctotuiError("there is no such package")

        estate.hook = gone
        return await estate.attempt(waived=("way-back",))

    faults = ["node1:msi-exit=1603"]
    outcome = play_at_ports(tmp_path / "installed", play, nodes=2, faults=faults)
    assert (outcome.state, outcome.code) == ("needs_person", 4), outcome.lines
    assert "control run-1 rollback" not in outcome.lines
    drained = play_at_ports(
        tmp_path / "drained",
        play,
        nodes=2,
        faults=["cluster:task-waits-for-person"],
        options=Options(drain_deadline=60.0),
    )
    assert_as_found(drained)


# --- approval ---


def test_a_plan_of_another_world_is_not_carried_out(tmp_path: Path) -> None:
    """Approved after a while, the facts are read again; what changed makes a new plan."""

    async def person(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "ready")
        await asyncio.sleep(120)
        estate.lab.set_maintenance(True)
        await order(journal, "approve")
        await asyncio.sleep(60)
        events = list(journal.events())
        assert [e.data["to"] for e in events if e.kind == "state"][-2:] == ["preflight", "ready"]
        assert len([e for e in events if e.kind == "plan"]) == 2
        await order(journal, "approve")

    async def play(estate: PortEstate) -> Outcome:
        return await estate.attempt(
            during=lambda journal: person(estate, journal), attended=True, approved=False
        )

    outcome = play_at_ports(tmp_path, play, nodes=1)
    assert outcome.state == "succeeded", outcome.lines
    assert outcome.truth["cluster"]["maintenance"] is True, "as the approved plan found it"


@pytest.mark.parametrize("pause", [10, 120])
def test_a_plan_of_the_same_world_is_carried_out(tmp_path: Path, pause: float) -> None:
    async def person(estate: PortEstate, journal: Journal) -> None:
        await state_is(journal, "ready")
        await asyncio.sleep(pause)
        await order(journal, "approve")

    async def play(estate: PortEstate) -> Outcome:
        return await estate.attempt(
            during=lambda journal: person(estate, journal), attended=True, approved=False
        )

    outcome = play_at_ports(tmp_path, play, nodes=1)
    assert_upgraded(outcome)
    assert len([e for e in outcome.events if e.kind == "plan"]) == 1


def test_without_approval_nothing_is_changed(tmp_path: Path) -> None:
    outcome = port_run(tmp_path, nodes=2, settings={"approved": False})
    assert (outcome.state, outcome.code) == ("ready", 4)
    assert changes(outcome) == []
    assert outcome.actions("stage") == []


@pytest.mark.parametrize("phase", ["staging", "maintenance", "stopping", "migrating", "finishing"])
def test_a_hold_is_kept_and_nothing_of_its_phase_begun(tmp_path: Path, phase: str) -> None:
    async def play(estate: PortEstate) -> Outcome:
        outcome = sane(estate, await estate.attempt(hold=(phase,)))
        assert (outcome.state, outcome.code) == ("held", 4)
        assert outcome.lines.startswith(f"Held before {phase}, as asked")
        assert not [e for e in outcome.events if e.data.get("phase") == phase]
        return sane(estate, await estate.attempt(hold=(phase,)))

    assert_upgraded(play_at_ports(tmp_path, play, nodes=2))
