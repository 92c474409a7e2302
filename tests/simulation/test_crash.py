"""The runner dies: at every write of its journal, by a full disk, or by wires that break.

Jobs on nodes go on, as they do; a new runner takes the journal up, and all must end right.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from octotui.api.errors import ConnectionLost, OctotuiError, TimedOut, Unreachable
from octotui.api.events import Event
from octotui.run.journal import Journal, JournalError
from octotui.run.ledger import Ledger
from octotui.upgrade.plan import Options
from octotui_lab.inprocess import Hook
from tests.rehearsal import (
    Estate,
    Killed,
    MortalJournal,
    assert_as_found,
    assert_safe,
    assert_upgraded,
    quick,
    rehearse,
)
from tests.simulated_upgrade import Outcome
from tests.support.oracle import problems
from tests.support.port_estate import PortEstate, look_rarely, play_at_ports, port_run, rarely

__all__ = ["quick", "rarely"]
pytestmark = pytest.mark.usefixtures("quick")

#: More lives than this, and a run makes no headway.
MOST_LIVES = 60


async def lives(estate: PortEstate, deaths: Iterator[int], after: bool) -> Outcome:
    """Runner after runner on one journal, each dying at its n-th write, until one does not."""
    for number in range(MOST_LIVES):
        writes = next(deaths, None)
        if writes is None:
            return await estate.attempt()
        try:
            return await estate.attempt(journal=MortalJournal(estate.journal(), writes, after))
        except Killed:
            # Nobody looks for a while, or at once; nodes go on.
            await asyncio.sleep((0.0, 1.0, 40.0, 400.0)[number % 4])
    raise AssertionError("no headway: every life ended before anything was done")


def killed(folder: Path, deaths: Iterator[int], after: bool, **settings: Any) -> Outcome:
    """Judged by the rules, by what the run says of itself, and by what it left behind."""

    async def play(estate: PortEstate) -> Outcome:
        outcome = await lives(estate, deaths, after)
        assert problems(estate, outcome) == []
        return outcome

    return play_at_ports(folder, play, **settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The events of a run of two nodes that nothing happens to."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCTOTUI_STATE_DIR", str(folder))
        look_rarely(patch)
        return port_run(folder, nodes=2).events


def deaths_after_approval(whole: list[Event], first: int) -> Iterator[int]:
    """Preflight is done again from its beginning and needs its time; after it, every 8 writes."""
    staging = next(e.seq for e in whole if e.kind == "state" and e.data["to"] == "staging")
    return itertools.chain([staging + first], itertools.repeat(8))


# --- killed --------------------------------------------------------------------------------------

dies = pytest.mark.usefixtures("rarely")


@dies
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("first", range(1, 9))
def test_killed_again_and_again(
    tmp_path: Path, whole: list[Event], first: int, after: bool
) -> None:
    """With eight beginnings every write of a two-node run is one that a runner dies at."""
    rollout = ("first-node", "all-nodes")[first % 2]
    options = Options(rollout=rollout)  # type: ignore[arg-type]
    deaths = deaths_after_approval(whole, first)
    assert_upgraded(killed(tmp_path, deaths, after, nodes=2, options=options))


@dies
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_killed_once(tmp_path: Path, whole: list[Event], after: bool) -> None:
    for write in range(2 + after, len(whole), 3):
        outcome = killed(tmp_path / str(write), iter([write]), after, nodes=2)
        assert_upgraded(outcome)


@dies
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("first", range(1, 9))
@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("database:upgrade-fails", {"rolled_back"}),
        # A runner that dies before it wrote that it backs out leaves a step that is done again.
        ("node2:msi-incomplete,times=1", {"rolled_back", "succeeded"}),
        ("node2:msi-exit=1603", {"needs_person"}),
    ],
    ids=["database", "incomplete", "1603"],
)
def test_killed_on_the_way_of_a_failure(
    tmp_path: Path, whole: list[Event], fault: str, ends: set[str], first: int, after: bool
) -> None:
    rollout = "all-nodes" if "incomplete" in fault else "first-node"
    options = Options(rollout=rollout)  # type: ignore[arg-type]
    deaths = deaths_after_approval(whole, first)
    outcome = killed(tmp_path, deaths, after, nodes=2, faults=[fault], options=options)
    assert outcome.state in ends, outcome.lines
    assert_safe(outcome)
    if outcome.state == "rolled_back":
        assert_as_found(outcome)
    if outcome.state == "needs_person":
        assert outcome.truth["database"]["upgrades"] == 1


# --- the journal's disk is full ------------------------------------------------------------------


class FullDisk(Journal):
    """Every write from the n-th on fails, or that one alone."""

    def __init__(self, inner: Journal, write: int, for_good: bool, failed: list[str]) -> None:
        self.__dict__.update(inner.__dict__)
        self._left = write
        self._for_good = for_good
        self._failed = failed

    def append(self, subject: str, kind: str, data: Mapping[str, Any] | None = None) -> Event:
        self._left -= 1
        if self._left == 0 or (self._left < 0 and self._for_good):
            self._failed.append(f"{kind} {subject}")
            raise JournalError("the journal cannot be used: no space left on device")
        return super().append(subject, kind, data)


CHANGING = ("job-start", "park", "unpark", "unstage", "upload")
CLUSTERS_OWN = {"maintenance-on", "maintenance-off", "drain-on", "drain-off", "task-cancel"}


@pytest.mark.parametrize("for_good", [True, False], ids=["for good", "once"])
@pytest.mark.parametrize("begin", [0, 1])
def test_a_journal_that_cannot_be_written_stops_the_run_before_its_next_act(
    tmp_path: Path, whole: list[Event], for_good: bool, begin: int
) -> None:
    for write in range(2 + begin * 5, len(whole), 11):
        outcome = stopped_by_disk(tmp_path / str(write), write, for_good)
        assert_upgraded(outcome)


def open_nodes(journal: Journal) -> set[str]:
    """Nodes with a step whose intent was written: such an act may just have been on its way."""
    ledger = Ledger()
    for event in journal.events():
        ledger.apply(event)
    # The cluster's own steps act through the first node.
    return {step.partition("@")[2] or "OCTO1" for step in ledger.open}


def node_of(act: str) -> str:
    found = re.search(r"/(OCTO\d+)/", act)
    return found[1] if found else ""


def stopped_by_disk(folder: Path, write: int, for_good: bool) -> Outcome:
    failed: list[str] = []
    acts: list[str] = []

    def hook(moment: str, what: str) -> None:
        if failed and moment == "before" and any(word in what for word in CHANGING):
            acts.append(what)

    async def play(estate: Estate) -> Outcome:
        journal = FullDisk(estate.journal(), write, for_good, failed)

        def clusters_own() -> int:
            actions = estate.lab.truth()["actions"]
            return sum(action["action"] in CLUSTERS_OWN for action in actions)

        with pytest.raises(JournalError, match="no space"):
            await estate.attempt(journal=journal)
        own = clusters_own()
        assert failed, "the write was reached"
        intended = open_nodes(estate.journal())
        unwritten = [act for act in acts if node_of(act) not in intended]
        assert unwritten == [], f"something was done after {failed[0]} could not be written"
        await asyncio.sleep(30)
        assert clusters_own() == own
        failed.clear()
        return await estate.attempt()

    return rehearse(folder, play, nodes=2, hooks=dict.fromkeys(("OCTO1", "OCTO2"), hook))


# --- wires break ---------------------------------------------------------------------------------

#: What may happen to a call, and when.
BREAKS: tuple[tuple[str, Callable[[str], OctotuiError]], ...] = (
    ("before", lambda node: Unreachable(f"{node} refuses the connection", node=node)),
    ("before", lambda node: ConnectionLost(f"the connection to {node} was reset", node=node)),
    ("after", lambda node: ConnectionLost(f"the connection to {node} was reset", node=node)),
    ("before", lambda node: TimedOut(f"no answer of {node} in time", node=node)),
    ("after", lambda node: TimedOut(f"no answer of {node} in time", node=node)),
)


class Wires:
    """Breaks chosen calls to a node, once preflight is over."""

    def __init__(self, breaks: Callable[[int], int | None]) -> None:
        self._breaks = breaks
        self._calls = 0
        self._due: int | None = None
        self.live = False
        self.broken: list[str] = []

    def hook(self, node: str) -> Hook:
        def asked(moment: str, what: str) -> None:
            if not self.live:
                return
            if moment == "before":
                self._calls += 1
                self._due = self._breaks(self._calls)
            if self._due is not None and BREAKS[self._due][0] == moment:
                kind, self._due = self._due, None
                self.broken.append(f"{moment} {what}")
                raise BREAKS[kind][1](node)

        return asked


def with_broken_wires(folder: Path, breaks: Callable[[int], int | None], **lab: Any) -> Outcome:
    wires = {name: Wires(breaks) for name in ("OCTO1", "OCTO2")}

    async def go_live(journal: Journal) -> None:
        while not any(e.kind == "state" and e.data["to"] == "staging" for e in journal.events()):
            await asyncio.sleep(1.0)
        for each in wires.values():
            each.live = True

    hooks = {name: each.hook(name) for name, each in wires.items()}
    outcome = rehearse(
        folder, lambda estate: estate.attempt(during=go_live), nodes=2, hooks=hooks, **lab
    )
    assert any(each.broken for each in wires.values())
    return outcome


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("kind", range(len(BREAKS)))
def test_every_seventh_call_breaks(tmp_path: Path, kind: int, first: int) -> None:
    """With seven beginnings every call of a run is one that breaks, in each of five ways."""
    outcome = with_broken_wires(tmp_path, lambda call: kind if call % 7 == first else None)
    assert_upgraded(outcome)


@pytest.mark.parametrize("seed", range(8))
def test_calls_break_at_random(tmp_path: Path, seed: int) -> None:
    """A third of all calls: more than anybody survives every time, but nothing gets broken."""
    chance = random.Random(seed)
    options = Options(rollout=("first-node", "all-nodes")[seed % 2])  # type: ignore[arg-type]
    outcome = with_broken_wires(
        tmp_path,
        lambda call: chance.randrange(len(BREAKS)) if chance.random() < 0.3 else None,
        options=options,
    )
    assert_safe(outcome)
    assert outcome.state in ("succeeded", "rolled_back", "needs_person"), outcome.lines
    if outcome.state == "rolled_back":
        assert_as_found(outcome)


@pytest.mark.parametrize(("node", "seconds"), [("OCTO1", 1000), ("OCTO2", 60), ("OCTO2", 1000)])
@pytest.mark.parametrize(
    "phase", ["staging", "draining", "stopping", "installing", "migrating", "starting", "joining"]
)
def test_a_node_out_of_reach_for_a_while(
    tmp_path: Path, phase: str, node: str, seconds: float
) -> None:
    until = [float("inf")]
    cut = [False]

    def hook(moment: str, what: str) -> None:
        if cut[0] and asyncio.get_running_loop().time() < until[0]:
            raise Unreachable(f"{node} refuses the connection", node=node)

    async def cut_off(journal: Journal) -> None:
        while not any(e.kind == "state" and e.data["to"] == phase for e in journal.events()):
            await asyncio.sleep(1.0)
        await asyncio.sleep(3)
        cut[0], until[0] = True, asyncio.get_running_loop().time() + seconds

    async def play(estate: Estate) -> Outcome:
        outcome = await estate.attempt(during=cut_off)
        assert_safe(outcome)
        if outcome.state == "needs_person":
            await asyncio.sleep(seconds)
            return await estate.attempt()
        return outcome

    outcome = rehearse(tmp_path, play, nodes=2, hooks={node: hook})
    assert outcome.state in ("succeeded", "rolled_back", "failed"), outcome.lines
    if outcome.state == "succeeded":
        assert_upgraded(outcome)
    else:
        assert_as_found(outcome)
    if seconds < 100:
        assert outcome.state == "succeeded", outcome.lines


def test_a_database_upgrade_whose_end_nobody_saw_is_looked_at_and_not_repeated(
    tmp_path: Path,
) -> None:
    """The first node is out of reach for longer than anybody's patience, and upgrades meanwhile."""
    cut = [False]

    def hook(moment: str, what: str) -> None:
        if cut[0]:
            raise Unreachable("OCTO1 refuses the connection", node="OCTO1")

    async def cut_off(journal: Journal) -> None:
        while not any(
            e.kind == "step.progress" and "scripts" in e.data["text"] for e in journal.events()
        ):
            await asyncio.sleep(1.0)
        cut[0] = True

    async def play(estate: Estate) -> Outcome:
        outcome = await estate.attempt(during=cut_off)
        assert (outcome.state, outcome.code) == ("needs_person", 4), outcome.lines
        assert "the database-upgrade job may still run there" in outcome.lines
        assert "rollback" not in outcome.lines, "nobody knows whether there is a way back"
        assert_safe(outcome)
        cut[0] = False
        return await estate.attempt()

    outcome = rehearse(tmp_path, play, nodes=2, hooks={"OCTO1": hook})
    assert_upgraded(outcome)
    ended = [
        e.data for e in outcome.events if e.kind == "step.ended" and "database@" in e.data["step"]
    ]
    assert [each["outcome"] for each in ended] == ["failed", "already"]
