"""The last lines tell how things stand, not how they usually do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal import Estate, quick, rehearse, rehearse_one
from tests.simulated_upgrade import Outcome

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize(
    ("fault", "stands"),
    [
        ("node2:msi-exit=1603", "stopped and parked"),
        ("node2:service-will-not-start", "started, but not proved to serve"),
    ],
)
def test_a_node_that_was_left_out_is_told_as_it_stands(
    tmp_path: Path, fault: str, stands: str
) -> None:
    async def play(estate: Estate) -> Outcome:
        stopped = await estate.attempt(backs_out=False)
        assert f"go on without OCTO2, which stays as it stands, {stands}:" in stopped.lines
        estate.journal().command("leave-out", "OCTO2", "tester")
        return await estate.attempt(backs_out=False)

    outcome = rehearse(tmp_path, play, faults=[fault], nodes=2)
    assert outcome.state == "succeeded"
    assert f"OCTO2 was left out: {stands}." in outcome.lines.splitlines()


def test_a_way_back_makes_untrue_what_a_failure_left(tmp_path: Path) -> None:
    outcome = rehearse_one(tmp_path, faults=["database:upgrade-fails"], nodes=2)
    assert outcome.state == "rolled_back"
    errors = [
        e.data["error"] for e in outcome.events if e.kind == "step.ended" and "error" in e.data
    ]
    assert errors
    for error in errors:
        assert error["what"].rstrip(".") in outcome.lines
        for part in ("left", "next"):
            assert not error[part] or error[part].rstrip(".") not in outcome.lines
