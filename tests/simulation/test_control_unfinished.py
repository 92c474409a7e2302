"""A run that changed the cluster and did not end is carried to its end, not upgraded over."""

from __future__ import annotations

from pathlib import Path

import pytest

from octotui.run.directory import state_folder
from octotui.run.journal import Journal
from tests.rehearsal import Estate, assert_upgraded, changes, quick, rehearse
from tests.simulated_upgrade import Outcome
from tests.virtual_time import VirtualClock

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


def known(run_id: str) -> Journal:
    """A journal where runs of this machine are looked for."""
    folder = state_folder() / "runs" / run_id
    folder.mkdir(parents=True, exist_ok=True)
    return Journal(folder / "run.db", run_id, now=VirtualClock().time)


def second(tmp_path: Path, hold: str, *, silent: bool = False) -> tuple[Outcome, Outcome]:
    """A run that is held, and a new one after it."""
    found = []

    async def play(estate: Estate) -> Outcome:
        found.append(await estate.attempt(journal=known("run-1"), hold=(hold,)))
        if silent:
            estate.lab.add_fault("cluster:api-503=100000")
        return await estate.attempt("run-2", journal=known("run-2"))

    return rehearse(tmp_path, play, nodes=2), found[0]


@pytest.mark.parametrize("silent", [False, True], ids=["answers", "silent"])
@pytest.mark.parametrize("hold", ["stopping", "migrating"])
def test_what_a_run_left_half_done_is_not_taken_for_as_found(
    tmp_path: Path, hold: str, silent: bool
) -> None:
    after, before = second(tmp_path, hold, silent=silent)
    assert (before.state, before.code) == ("held", 4)
    assert (after.last.kind, after.code) == ("run.refused", 3), after.last
    assert after.last.data["holder"] == "run-1"
    assert "octotui resume run-1" in after.last.data["next"]
    assert len(changes(after)) == len(changes(before)), "nothing was done"


def test_a_run_that_changed_nothing_is_superseded(tmp_path: Path) -> None:
    after, before = second(tmp_path, "maintenance")
    assert (before.state, before.code) == ("held", 4)
    assert_upgraded(after)


def test_a_run_that_was_superseded_and_changed_nothing_cannot_come_between(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt(journal=known("run-1"), hold=("maintenance",))
        await estate.attempt("run-2", journal=known("run-2"), hold=("stopping",))
        return await estate.attempt(journal=known("run-1"), hold=("maintenance",))

    outcome = rehearse(tmp_path, play, nodes=1)
    assert (outcome.last.kind, outcome.last.data["holder"]) == ("run.refused", "run-2")


def test_the_run_itself_is_taken_up_again(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        await estate.attempt(journal=known("run-1"), hold=("stopping",))
        return await estate.attempt(journal=known("run-1"), hold=("stopping",))

    assert_upgraded(rehearse(tmp_path, play, nodes=1))


@pytest.mark.parametrize("damage", [b"no database at all, but long enough " * 20, b""])
def test_a_damaged_journal_keeps_nobody_from_upgrading(tmp_path: Path, damage: bytes) -> None:
    async def play(estate: Estate) -> Outcome:
        folder = state_folder() / "runs" / "broken"
        folder.mkdir(parents=True)
        (folder / "run.db").write_bytes(damage)
        return await estate.attempt("run-2", journal=known("run-2"))

    assert_upgraded(rehearse(tmp_path, play, nodes=1))
