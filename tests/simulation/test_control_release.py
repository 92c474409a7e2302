"""Releasing a hold, and not the next one with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from octotui.api.errors import OctotuiError
from octotui.run.control import check_command
from octotui.run.journal import Journal
from tests.rehearsal import Estate, assert_upgraded, order, quick, rehearse, state_is
from tests.simulated_upgrade import Outcome

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


def test_release_typed_twice_keeps_the_hold_before_the_point_of_no_return(tmp_path: Path) -> None:
    async def person(journal: Journal) -> None:
        await state_is(journal, "held")
        assert await order(journal, "release") == "goes on with stopping"
        again = await order(journal, "release")
        assert again.startswith("refused: the run is not held, it is stopping"), again
        assert "It will hold before migrating; 'release all' drops that" in again
        await state_is(journal, "held")
        await order(journal, "release")

    async def play(estate: Estate) -> Outcome:
        hold = ("stopping", "migrating")
        return await estate.attempt(hold=hold, attended=True, during=person)

    outcome = rehearse(tmp_path, play, nodes=1)
    assert_upgraded(outcome)
    assert sum(e.kind == "state" and e.data["to"] == "held" for e in outcome.events) == 2


@pytest.mark.parametrize("moment", ["held", "draining"])
def test_release_all_drops_every_hold(tmp_path: Path, moment: str) -> None:
    async def person(journal: Journal) -> None:
        await state_is(journal, moment)
        answer = await order(journal, "release", "all")
        held = moment == "held"
        assert answer == (
            "goes on with draining, without a hold" if held else "every hold is dropped"
        )

    async def play(estate: Estate) -> Outcome:
        hold = ("draining", "migrating") if moment == "held" else ("migrating",)
        return await estate.attempt(hold=hold, attended=True, during=person)

    outcome = rehearse(tmp_path, play, nodes=1)
    assert_upgraded(outcome)
    held = sum(e.kind == "state" and e.data["to"] == "held" for e in outcome.events)
    assert held == (moment == "held")


def test_release_takes_nothing_else() -> None:
    check_command("release", "all")
    with pytest.raises(OctotuiError, match="takes nothing, or all"):
        check_command("release", "everything")
