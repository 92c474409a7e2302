"""A node that is away for a while: little patience while all serve, much in an outage."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from octotui.api.errors import Unreachable
from octotui.run.journal import Journal
from octotui.run.ledger import Ledger
from octotui.run.patience import patience_of, patiently
from tests.rehearsal import Estate, assert_upgraded, quick, rehearse, state_is
from tests.simulated_upgrade import Outcome
from tests.virtual_time import VirtualClock, run_virtually

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


def away(tmp_path: Path, phase: str, seconds: float) -> Outcome:
    """The first node cannot be reached for so long from that phase on."""

    async def play(estate: Estate) -> Outcome:
        async def meanwhile(journal: Journal) -> None:
            await state_is(journal, phase)
            estate.lab.add_fault("node1:unreachable")
            await asyncio.sleep(seconds)
            estate.lab.remove_fault("node1", "unreachable")

        return await estate.attempt(during=meanwhile)

    return rehearse(tmp_path, play, nodes=2)


@pytest.mark.parametrize("phase", ["installing", "migrating"])
def test_in_an_outage_it_waits_as_long_as_for_a_job(tmp_path: Path, phase: str) -> None:
    assert_upgraded(away(tmp_path, phase, 1500.0))


def test_but_not_for_ever(tmp_path: Path) -> None:
    outcome = away(tmp_path, "migrating", 4000.0)
    assert outcome.state in ("needs_person", "rolled_back")
    assert outcome.code != 0


@pytest.mark.parametrize(
    ("begun", "least", "most"),
    [
        (("staging.stage@OCTO1", "draining.wait"), 120, 130),
        (("draining.wait", "stopping.park@OCTO2"), 1800, 1810),
    ],
)
def test_while_all_serve_it_gives_up_soon(begun: tuple[str, ...], least: int, most: int) -> None:
    async def ask() -> None:
        raise Unreachable("no answer", node="OCTO1")

    async def waits() -> float:
        clock = VirtualClock()
        before, reasons = clock.time(), list[str]()
        patience = patience_of(Ledger(attempts=dict.fromkeys(begun, 1)))
        with pytest.raises(Unreachable):
            await patiently(clock, ask, reasons.append, patience)
        assert reasons[0] == "OCTO1 is out of reach: no answer"
        return clock.time() - before

    assert least <= run_virtually(waits()) <= most
