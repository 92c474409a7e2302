"""The package of the installed version cannot be had: said before approval, waived by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from octotui.api.errors import SourceError
from octotui.api.source import Package
from octotui.run.journal import Journal
from octotui.tui.refusals import waivable
from octotui.view import fold
from tests.rehearsal import (
    Estate,
    assert_upgraded,
    changes,
    order,
    quick,
    rehearse,
    state_is,
)
from tests.simulated_upgrade import INSTALLED, Outcome, Shelf

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


class WithoutTheOldOne(Shelf):
    async def locate(self, version: str) -> Package:
        if version == INSTALLED:
            raise SourceError(f"{version} is not offered any more")
        return await super().locate(version)


@pytest.mark.parametrize("waived", [(), ("way-back",)], ids=["", "waived"])
def test_no_way_back_is_accepted_by_name_only(tmp_path: Path, waived: tuple[str, ...]) -> None:
    async def play(estate: Estate) -> Outcome:
        estate.shelf = WithoutTheOldOne()
        return await estate.attempt(waived=waived)

    outcome = rehearse(tmp_path, play, nodes=2)
    if waived:
        assert_upgraded(outcome)
    else:
        assert (outcome.state, outcome.code) == ("refused", 3)
        assert changes(outcome) == []
        assert f"way-back: the package of {INSTALLED} cannot be had" in outcome.lines
        assert "is not offered any more" in outcome.lines
        assert outcome.lines.count("--waive way-back") == 1


def test_what_the_screen_waives_leads_to_a_plan_that_waits_for_approval(tmp_path: Path) -> None:
    async def play(estate: Estate) -> Outcome:
        estate.shelf = WithoutTheOldOne()
        refused = await estate.attempt("run-1", approved=False, attended=True)
        names = tuple(waivable(fold(refused.events)))

        async def look(journal: Journal) -> None:
            await state_is(journal, "ready")
            await order(journal, "abort")

        return await estate.attempt(
            "run-2", approved=False, attended=True, waived=names, during=look
        )

    outcome = rehearse(tmp_path, play, nodes=2)
    view = fold(outcome.events)
    assert outcome.state == "aborted"
    assert view.plan["installed"] is None
    assert [f["check"] for f in view.findings if f["waived"]] == ["way-back"]
    assert changes(outcome) == []
