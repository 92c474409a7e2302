"""People steer runs: holds, retries, leaving out, rolling back, aborting, approving, resuming."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octotui.run.journal import Journal
from octotui.upgrade.phases import HOLDABLE
from octotui.upgrade.plan import Options
from tests.rehearsal import (
    Estate,
    assert_as_found,
    assert_safe,
    assert_serves,
    assert_upgraded,
    changes,
    failures,
    order,
    quick,
    rehearse,
    started,
    state_is,
)
from tests.simulated_upgrade import TARGET, Outcome, until

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")

Person = Callable[[Estate, Journal], Awaitable[None]]


def attended(
    folder: Path, person: Person, *, run: dict[str, Any] | None = None, **lab: Any
) -> Outcome:
    """A run beside which a person sits."""

    async def play(estate: Estate) -> Outcome:
        wanted = {"attended": True, "backs_out": False, **(run or {})}
        return await estate.attempt(during=lambda journal: person(estate, journal), **wanted)

    return rehearse(folder, play, **lab)


def states(outcome: Outcome) -> list[str]:
    return [e.data["to"] for e in outcome.events if e.kind == "state"]


async def step_begins(journal: Journal, step: str) -> None:
    await until(journal, lambda e: e.kind == "step.started" and e.data["step"] == step)


# --- holds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [phase for phase in HOLDABLE if phase != "joining"])
def test_hold_before_a_phase_and_release(tmp_path: Path, phase: str) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "held")
        begun = [e.data["phase"] for e in journal.events() if e.kind == "step.started"]
        assert phase not in begun
        assert await order(journal, "release") == f"goes on with {phase}"

    outcome = attended(tmp_path, person, run={"hold": (phase,)}, nodes=1)
    assert_upgraded(outcome)
    assert states(outcome).count("held") == 1


def test_hold_next_holds_at_each_step_of_the_way(tmp_path: Path) -> None:
    seen = []

    async def person(estate: Estate, journal: Journal) -> None:
        assert await order(journal, "hold", "next") == "will hold before staging"
        await state_is(journal, "ready")
        await order(journal, "approve")
        for phase in HOLDABLE:
            await state_is(journal, "held")
            seen.append(
                [e for e in journal.events() if e.kind == "state"][-1].data["waiting_phase"]
            )
            if phase != HOLDABLE[-1]:
                await order(journal, "hold", "next")
            assert await order(journal, "release") == f"goes on with {phase}"
            await until(journal, lambda e, phase=phase: e.kind == "state" and e.data["to"] == phase)

    outcome = attended(tmp_path, person, run={"approved": False}, nodes=2)
    assert_upgraded(outcome)
    assert tuple(seen) == HOLDABLE


def test_a_hold_in_a_profile_ends_an_unattended_run_which_resume_takes_further(
    tmp_path: Path,
) -> None:
    async def play(estate: Estate) -> Outcome:
        first = await estate.attempt(hold=("migrating",))
        assert (first.state, first.code) == ("held", 4)
        assert "Go on: octotui resume run-1" in first.lines
        assert "maintenance mode is on" in first.lines.splitlines()[0]
        assert_safe(first)
        return await estate.attempt(hold=("migrating",))

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


def test_a_hold_that_is_behind_or_does_not_exist_is_refused(tmp_path: Path) -> None:
    answers = []

    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "held")
        for phase in ("staging", "joining", "lunch"):
            answers.append(await order(journal, "hold", phase))
        await order(journal, "release")

    outcome = attended(tmp_path, person, run={"hold": ("installing",)}, nodes=1)
    assert_upgraded(outcome)
    assert all(answer.startswith("refused: there is no phase") for answer in answers), answers


def test_a_hold_by_command_survives_the_runner(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        first = asyncio.ensure_future(estate.attempt())
        viewer = estate.journal()
        await state_is(viewer, "draining")
        await order(viewer, "hold", "migrating")
        first.cancel()
        await asyncio.wait({first})
        held = await estate.attempt()
        assert (held.state, held.code) == ("held", 4)
        assert held.actions("database-upgrade") == []
        return await estate.attempt()

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


def test_a_run_that_died_on_its_way_still_holds_where_the_profile_says(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        first = asyncio.ensure_future(estate.attempt(hold=("migrating",)))
        await state_is(estate.journal(), "stopping")
        first.cancel()
        await asyncio.wait({first})
        return await estate.attempt(hold=("migrating",))

    outcome = rehearse(tmp_path, play, nodes=1)
    assert (outcome.state, outcome.code) == ("held", 4)
    assert outcome.actions("database-upgrade") == []


# --- failures and what can be done about them ----------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "rollout"),
    [
        ("node1:msi-exit=1603", "first-node"),
        ("node1:msi-incomplete", "first-node"),
        ("node2:msi-exit=1603", "first-node"),
        ("node2:msi-exit=1603", "all-nodes"),
        ("node2:msi-incomplete", "all-nodes"),
        ("node2:service-will-not-start", "first-node"),
        ("node1:service-will-not-start", "all-nodes"),
        ("node2:service-stop-lies", "first-node"),
        ("database:backup-fails", "first-node"),
        ("database:upgrade-fails", "first-node"),
    ],
)
def test_retry_when_the_cause_is_gone(tmp_path: Path, fault: str, rollout: str) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        scope, _, name = fault.partition(":")
        assert estate.lab.remove_fault(scope, name.partition("=")[0])
        assert (await order(journal, "retry")).startswith("the run is now ")

    options = Options(rollout=rollout)  # type: ignore[arg-type]
    outcome = attended(tmp_path, person, faults=[fault], options=options, nodes=2)
    assert_upgraded(outcome)
    assert states(outcome).count("needs_person") == 1


def test_resume_does_again_what_failed(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        first = await estate.attempt()
        assert first.state == "needs_person"
        estate.lab.remove_fault("node2", "msi-exit")
        return await estate.attempt()

    assert_upgraded(rehearse(tmp_path, play, faults=["node2:msi-exit=1603"], nodes=3))


def test_resume_without_a_remedy_needs_a_person_again(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt()
        return await estate.attempt()

    outcome = rehearse(tmp_path, play, faults=["node2:msi-exit=1603"], nodes=3)
    assert (outcome.state, outcome.code) == ("needs_person", 4)
    assert len(started(outcome, "joining.install@OCTO2")) == 2
    assert_safe(outcome)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "on resume"])
def test_a_node_is_left_out(tmp_path: Path, later: bool) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        assert "OCTO3 has not failed here" in await order(journal, "leave-out", "OCTO3")
        answer = await order(journal, "leave-out", "OCTO2")
        assert answer == "goes on with joining, without OCTO2"

    async def play(estate: Estate) -> Outcome:
        await estate.attempt()
        estate.journal().command("leave-out", "OCTO2", "tester")
        return await estate.attempt()

    lab = {"faults": ["node2:msi-exit=1603"], "nodes": 3}
    outcome = rehearse(tmp_path, play, **lab) if later else attended(tmp_path, person, **lab)
    assert_safe(outcome)
    assert (outcome.state, outcome.code) == ("succeeded", 0), outcome.lines
    assert "without OCTO2" in outcome.lines.splitlines()[0]
    assert_serves(outcome, TARGET, "OCTO1", "OCTO3")
    assert outcome.truth["cluster"]["maintenance"] is False
    assert outcome.truth["nodes"]["OCTO2"]["service"] == "stopped"
    assert outcome.truth["nodes"]["OCTO2"]["watchdog"] == "disabled"


def test_the_first_node_cannot_be_left_out(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        assert (await order(journal, "leave-out", "OCTO1")).startswith("refused")
        estate.lab.remove_fault("node1", "service-will-not-start")
        await order(journal, "retry")

    faults = ["node1:service-will-not-start"]
    assert_upgraded(attended(tmp_path, person, faults=faults, nodes=2))


# --- rollback ------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", HOLDABLE[2:5])
def test_rollback_from_a_hold(tmp_path: Path, phase: str) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "held")
        assert await order(journal, "rollback") == "the run is now rolling back"

    outcome = attended(tmp_path, person, run={"hold": (phase,)}, nodes=2)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)


@pytest.mark.parametrize(
    "fault",
    ["node1:msi-exit=1603,times=1", "database:upgrade-fails", "node1:msi-incomplete,times=1"],
)
def test_rollback_instead_of_a_retry(tmp_path: Path, fault: str) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        await order(journal, "rollback")

    outcome = attended(tmp_path, person, faults=[fault], nodes=2)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)


def test_rollback_interrupts_the_wait_for_tasks(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await step_begins(journal, "draining.wait")
        answer = await order(journal, "rollback")
        assert answer == "takes effect when the steps that are running have ended"

    outcome = attended(tmp_path, person, faults=["cluster:task-waits-for-person"], nodes=2)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert outcome.actions("service-stop") == []
    began, ended = outcome.events[0].at, outcome.last.at
    assert ended - began < 300, "it did not wait for the deadline"


def test_rollback_while_installing_lets_the_installer_end(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await step_begins(journal, "installing.install@OCTO1")
        await order(journal, "rollback")

    outcome = attended(tmp_path, person, nodes=2)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert outcome.actions("database-upgrade") == []


def test_rollback_while_the_database_is_upgraded_is_no_way_back(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await step_begins(journal, "migrating.database@OCTO1")
        assert "only a restore leads back" in await order(journal, "rollback")

    assert_upgraded(attended(tmp_path, person, nodes=2))


@pytest.mark.parametrize("where", ["working", "waiting", "resumed"])
def test_rollback_is_refused_after_the_database_upgrade(tmp_path: Path, where: str) -> None:
    answers = []

    async def person(estate: Estate, journal: Journal) -> None:
        if where == "working":
            await step_begins(journal, "joining.install@OCTO2")
        else:
            await state_is(journal, "needs_person")
        answers.append(await order(journal, "rollback"))
        if where == "waiting":
            estate.lab.remove_fault("node2", "msi-exit")
            await order(journal, "retry")

    async def resumed(estate: Estate) -> Outcome:
        await estate.attempt()
        viewer = estate.journal()
        number = viewer.command("rollback", "", "tester")
        estate.lab.remove_fault("node2", "msi-exit")
        stayed = await estate.attempt()
        assert (stayed.state, stayed.code) == ("needs_person", 4), "it does not do something else"
        answers.append(viewer.get_command(number).answer or "")
        return await estate.attempt()

    faults = [] if where == "working" else ["node2:msi-exit=1603"]
    lab: dict[str, Any] = {"nodes": 2, "faults": faults}
    if where == "resumed":
        outcome = rehearse(tmp_path, resumed, **lab)
    else:
        outcome = attended(tmp_path, person, **lab)
    assert_upgraded(outcome)
    assert answers[0].startswith("refused"), answers


def test_a_rollback_that_fails_is_retried(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        await order(journal, "rollback")
        await state_is(journal, "rolling_back")
        await state_is(journal, "needs_person")
        estate.lab.remove_fault("node1", "msi-exit")
        await order(journal, "retry")

    outcome = attended(tmp_path, person, faults=["node1:msi-exit=1603"], nodes=2)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)


# --- abort ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["preflight", "ready", "staging", "held"])
def test_abort_before_anything_changed(tmp_path: Path, moment: str) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        if moment == "staging":
            await step_begins(journal, "staging.stage@OCTO1")
        elif moment != "preflight":
            await state_is(journal, moment)
        assert not (await order(journal, "abort")).startswith("refused")

    run = {"approved": moment not in ("ready",), "hold": ("maintenance",)}
    outcome = attended(tmp_path, person, run=run, nodes=2)
    assert (outcome.state, outcome.code) == ("aborted", 1), outcome.lines
    assert changes(outcome) == []
    assert_as_found(outcome)


@pytest.mark.parametrize("moment", ["draining", "held"])
def test_abort_after_a_change_is_refused(tmp_path: Path, moment: str) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, moment)
        answer = await order(journal, "abort")
        assert answer.startswith("refused")
        assert "rollback" in answer
        await order(journal, "release")

    hold = ("stopping",) if moment == "held" else ()
    assert_upgraded(attended(tmp_path, person, run={"hold": hold}, nodes=1))


def test_rollback_before_anything_changed_is_refused(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "staging")
        answer = await order(journal, "rollback")
        assert answer.startswith("refused: nothing was changed"), answer

    assert_upgraded(attended(tmp_path, person, nodes=1))


def test_nonsense_is_answered(tmp_path: Path) -> None:
    answers = []

    async def person(estate: Estate, journal: Journal) -> None:
        for command, argument in (
            ("dance", ""), ("skip", "x"), ("release", "x"), ("leave-out", ""), ("retry", ""),
        ):  # fmt: skip
            answers.append(await order(journal, command, argument))

    assert_upgraded(attended(tmp_path, person, nodes=1))
    assert all(answer.startswith("refused: ") for answer in answers), answers


# --- approval ------------------------------------------------------------------------------------


def test_a_plan_waits_for_approval(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "ready")
        await asyncio.sleep(4000)
        assert changes_now(estate) == []
        assert await order(journal, "approve") == "approved"

    assert_upgraded(attended(tmp_path, person, run={"approved": False}, nodes=1))


def changes_now(estate: Estate) -> list[object]:
    return [a for a in estate.lab.truth()["actions"] if a["action"] != "agent-upload"]


def test_a_plan_of_another_world_is_not_carried_out(tmp_path: Path) -> None:
    """A node gets another version between plan and approval: looked at again, and refused."""

    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "ready")
        await asyncio.sleep(600)
        estate.lab.add_fault("node2:other-version")
        await order(journal, "approve")

    outcome = attended(tmp_path, person, run={"approved": False}, nodes=2)
    assert (outcome.state, outcome.code) == ("refused", 3)
    assert changes(outcome) == []


def test_a_plan_that_changed_is_approved_anew(tmp_path: Path) -> None:
    """Maintenance mode was turned on meanwhile: another plan, which nobody has seen yet."""

    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "ready")
        await asyncio.sleep(600)
        estate.lab.set_maintenance(True)
        await order(journal, "approve")
        await until(journal, lambda e: e.kind == "state" and e.data["trigger"] == "recheck")
        await state_is(journal, "ready")
        await asyncio.sleep(10)
        assert [e for e in journal.events() if e.kind == "state"][-1].data["to"] == "ready"
        await order(journal, "approve")

    outcome = attended(tmp_path, person, run={"approved": False}, nodes=1)
    assert (outcome.state, outcome.code) == ("succeeded", 0)
    assert outcome.truth["cluster"]["maintenance"] is True, "as the plan found it"
    assert sum(e.kind == "plan" for e in outcome.events) == 2


def test_without_anybody_to_approve_the_run_ends_and_is_resumed_with_yes(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        first = await estate.attempt(approved=False)
        assert (first.state, first.code) == ("ready", 4)
        assert "--yes" in first.lines
        assert changes(first) == []
        await asyncio.sleep(3 * 3600)
        return await estate.attempt(approved=True)

    outcome = rehearse(tmp_path, play, nodes=1)
    assert_upgraded(outcome)
    assert sum(e.kind == "plan" for e in outcome.events) == 2, "hours later it is looked at anew"


def test_a_plan_approved_while_nobody_ran_it_is_carried_out_if_it_still_fits(
    tmp_path: Path,
) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt(approved=False)
        estate.journal().command("approve", "", "tester")
        return await estate.attempt(approved=False)

    assert_upgraded(rehearse(tmp_path, play, nodes=1))


def test_a_plan_approved_while_nobody_ran_it_is_not_carried_out_in_another_world(
    tmp_path: Path,
) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt(approved=False)
        estate.journal().command("approve", "", "tester")
        estate.lab.set_maintenance(True)
        return await estate.attempt(approved=False)

    outcome = rehearse(tmp_path, play, nodes=1)
    assert (outcome.state, outcome.code) == ("ready", 4)


def test_a_task_that_waits_for_a_person_is_left_to_the_person(tmp_path: Path) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "needs_person")
        (waiting,) = [task for task in estate.lab.tasks() if estate.lab.waits_for_person(task)]
        assert estate.lab.cancel_task(waiting.id)
        await asyncio.sleep(60)
        await order(journal, "retry")

    options = Options(drain_deadline=300.0)
    faults = ["cluster:task-waits-for-person"]
    outcome = attended(tmp_path, person, faults=faults, options=options, nodes=2)
    assert_upgraded(outcome)
    told = failures(outcome)["draining.wait"]
    assert "waits for a person's answer" in told["meaning"]
    assert "All nodes are drained and still serve" in told["left"]


# --- one run for each cluster --------------------------------------------------------------------


def test_a_second_run_is_refused_and_told_who_holds_the_cluster(tmp_path: Path) -> None:
    second: list[Outcome] = []

    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "draining")
        second.append(await refused_run(estate))

    assert_upgraded(attended(tmp_path, person, nodes=2))
    (outcome,) = second
    assert outcome.code == 3
    assert outcome.last.kind == "run.refused"
    assert outcome.last.data["holder"] == "run-1"
    assert "octotui attach run-1" in outcome.last.data["next"]


async def refused_run(estate: Estate) -> Outcome:
    return await estate.attempt("run-2")


def test_a_held_run_that_nobody_runs_does_not_lose_its_settings(tmp_path: Path) -> None:
    """The profile may change between run and resume: what was planned is carried out."""

    async def play(estate: Estate) -> Outcome:
        await estate.attempt(hold=("migrating",))
        estate.settings = {"to": "2025.2.13099"}
        estate.options = replace(estate.options, rollout="all-nodes")
        return await estate.attempt()

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


@pytest.mark.parametrize("still", [True, False], ids=["still runs", "was stopped again"])
def test_a_node_that_somebody_started_after_the_backup_forbids_the_database_upgrade(
    tmp_path: Path, still: bool
) -> None:
    async def person(estate: Estate, journal: Journal) -> None:
        await state_is(journal, "held")
        estate.lab.set_start_type("OCTO2", "manual")
        assert estate.lab.start_service("OCTO2", "somebody") == ""
        await asyncio.sleep(300)
        if not still:
            estate.lab.stop_service("OCTO2", "somebody")
            await asyncio.sleep(60)
        await order(journal, "release")
        await state_is(journal, "needs_person")
        await order(journal, "rollback")

    outcome = attended(tmp_path, person, run={"hold": ("migrating",)}, nodes=2)
    assert outcome.actions("database-upgrade") == []
    refused = failures(outcome)["migrating.database@OCTO1"]["what"]
    assert "OCTO2" in refused
    assert ("is not stopped" if still else "has run since") in refused
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)


def test_a_database_that_goes_away_while_it_is_upgraded_needs_a_person(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        async def meanwhile(journal: Journal) -> None:
            await step_begins(journal, "migrating.database@OCTO1")
            await asyncio.sleep(30)
            estate.lab.add_fault("database:down")

        outcome = await estate.attempt(during=meanwhile)
        assert_safe(outcome)
        assert (outcome.state, outcome.code) == ("needs_person", 4), outcome.lines
        assert "the database cannot be asked" in outcome.lines
        assert "rollback" not in outcome.lines, "nobody knows what state the database is in"
        estate.lab.remove_fault("database", "down")
        return await estate.attempt()

    assert_upgraded(rehearse(tmp_path, play, nodes=2))
