"""Commands that were given while nobody ran the run, and are refused when it is taken up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from octotui.api.errors import OctotuiError
from octotui.run.foretelling import refuse_impossible
from octotui.run.journal import Journal
from tests.rehearsal import Estate, assert_upgraded, changes, order, quick, rehearse, state_is
from tests.simulated_upgrade import Outcome

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


def note(estate: Estate, command: str, argument: str = "") -> None:
    viewer = estate.journal()
    viewer.command(command, argument, "tester")
    viewer.close()


def held_before(outcome: Outcome) -> str:
    """The phase that a run waits before."""
    assert outcome.state == "held"
    [*_, last] = (event for event in outcome.events if event.kind == "state")
    return str(last.data["waiting_phase"])


def test_a_refused_abort_does_not_carry_the_run_over_the_point_of_no_return(
    tmp_path: Path,
) -> None:
    async def play(estate: Estate) -> Outcome:
        before = await estate.attempt(hold=("migrating",))
        assert before.state == "held"
        note(estate, "abort")
        after = await estate.attempt(hold=("migrating",))
        assert changes(after) == changes(before), "nothing more was done"
        assert "'abort' was refused" in after.lines.splitlines()[1]
        assert (after.state, after.code) == ("held", 4)
        return await estate.attempt(hold=("migrating",))

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


def test_attended_it_waits_for_something_better(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt(hold=("migrating",))
        note(estate, "abort")

        async def person(journal: Journal) -> None:
            await asyncio.sleep(3600)
            assert [e for e in journal.events() if e.kind == "state"][-1].data["to"] == "held"
            await order(journal, "release")

        return await estate.attempt(hold=("migrating",), attended=True, during=person)

    assert_upgraded(rehearse(tmp_path, play, nodes=1))


def test_a_run_that_is_taken_up_keeps_the_holds_it_began_with(tmp_path: Path) -> None:
    """Whoever takes it up may be asked, or nobody: the holds were chosen before."""

    async def play(estate: Estate) -> Outcome:
        held = await estate.attempt(hold=("stopping", "migrating"))
        assert held_before(held) == "stopping"
        held = await estate.attempt(hold=())
        assert held_before(held) == "migrating"
        return await estate.attempt(hold=())

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


@pytest.mark.parametrize("begun", [(), ("joining",)], ids=["none", "another"])
def test_until_it_is_approved_whoever_approves_says_where_it_stops(
    tmp_path: Path, begun: tuple[str, ...]
) -> None:
    async def play(estate: Estate) -> Outcome:
        ready = await estate.attempt(hold=begun, approved=False)
        assert (ready.state, ready.code) == ("ready", 4)
        held = await estate.attempt(hold=("migrating",), approved=True)
        assert held_before(held) == "migrating"
        [resumed] = [event for event in held.events if event.kind == "run.resumed"]
        assert resumed.data["hold"] == ["migrating"]
        return await estate.attempt(hold=())

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


def test_who_approves_for_nobody_to_be_asked_is_not_stopped(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        ready = await estate.attempt(hold=("migrating",), approved=False)
        assert ready.state == "ready"
        return await estate.attempt(hold=(), approved=True)

    assert_upgraded(rehearse(tmp_path, play, nodes=2))


def test_a_run_that_died_in_a_phase_waits_too(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        first = asyncio.ensure_future(estate.attempt())
        await state_is(estate.journal(), "draining")
        first.cancel()
        await asyncio.wait({first})
        note(estate, "abort")
        stayed = await estate.attempt()
        assert (stayed.state, stayed.code) == ("needs_person", 4)
        assert stayed.actions("service-stop") == []
        return await estate.attempt()

    assert_upgraded(rehearse(tmp_path, play, nodes=1))


def test_a_plan_is_not_begun_by_yes_where_something_else_was_asked_for(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt(approved=False)
        note(estate, "rollback")
        return await estate.attempt(approved=True)

    outcome = rehearse(tmp_path, play, nodes=1)
    assert (outcome.state, outcome.code) == ("ready", 4)
    assert changes(outcome) == []


@pytest.mark.parametrize(
    ("command", "argument", "said"),
    [
        ("abort", "", "'abort' is not possible while the run is held"),
        ("retry", "", "'retry' is not possible"),
        ("approve", "", "'approve' is not possible"),
        ("leave-out", "OCTO2", "OCTO2 has not failed here"),
        ("hold", "staging", "there is no phase staging ahead"),
        ("dance", "", "there is no control command"),
        ("rollback", "", ""),
        ("release", "", ""),
        ("hold", "starting", ""),
    ],
)
def test_what_a_run_would_refuse_is_known_from_its_journal(
    tmp_path: Path, command: str, argument: str, said: str
) -> None:
    rehearse(tmp_path, lambda estate: estate.attempt(hold=("migrating",)), nodes=2)
    journal = Journal(tmp_path / "run-1.db", "run-1")
    events = list(journal.events())
    if said:
        with pytest.raises(OctotuiError, match=said):
            refuse_impossible(journal, command, argument)
    else:
        refuse_impossible(journal, command, argument)
    assert list(journal.events()) == events, "nothing is written"


def test_what_waits_already_comes_before(tmp_path: Path) -> None:
    rehearse(tmp_path, lambda estate: estate.attempt(hold=("migrating",)), nodes=2)
    journal = Journal(tmp_path / "run-1.db", "run-1")
    journal.command("rollback", "", "tester")
    with pytest.raises(OctotuiError, match="while the run is rolling_back"):
        refuse_impossible(journal, "abort", "")


def test_no_way_back_is_promised_after_the_database_upgrade(tmp_path: Path) -> None:
    rehearse(tmp_path, lambda estate: estate.attempt(), faults=["node2:msi-exit=1603"], nodes=2)
    journal = Journal(tmp_path / "run-1.db", "run-1")
    with pytest.raises(OctotuiError, match="'rollback' is not possible"):
        refuse_impossible(journal, "rollback", "")
    refuse_impossible(journal, "leave-out", "OCTO2")
