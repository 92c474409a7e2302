"""Running a phase: order, failures that stop only what follows, interruption, attempts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from octotui.api.errors import OctotuiError
from octotui.run.journal import Journal
from octotui.run.ledger import Ledger
from octotui.run.logs import NodeLogs
from octotui.run.phase_runner import PhaseRunner, telling_lines
from octotui.upgrade.planned_step import PlannedStep
from octotui.upgrade.steps import KINDS
from octotui.upgrade.steps.base import Probe, Step, StepContext


class Clock:
    def time(self) -> float:
        return 1000.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Scripted(Step):
    """A step whose behaviour the test decides, by step id."""

    kind = "scripted"
    interruptible = True

    def __init__(self) -> None:
        self.does: dict[str, Any] = {}
        self.probes: dict[str, Probe] = {}
        self.order: list[str] = []

    async def probe(self, context: StepContext) -> Probe:
        return self.probes.get(context.step.id, Probe(False, "no"))

    async def apply(self, context: StepContext) -> dict[str, Any]:
        self.order.append(f"begin {context.step.id}")
        do = self.does.get(context.step.id)
        if isinstance(do, Exception):
            raise do
        if do is not None:
            await do(context)
        self.order.append(f"end {context.step.id}")
        return {"attempt": context.attempt}


def step(id: str, after: tuple[str, ...] = ()) -> PlannedStep:
    node = id.partition("@")[2] or None
    return PlannedStep(id, "scripted", "installing", id, node, after, 1.0)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scripted = Scripted()
    monkeypatch.setitem(KINDS, "scripted", scripted)
    journal = Journal(tmp_path / "run.db", "r")
    ledger = Ledger()

    def append(subject, kind, data):
        event = journal.append(subject, kind, data)
        ledger.apply(event)
        return event

    class World:
        clock = Clock()

    runner = PhaseRunner("r", World(), ledger, append, NodeLogs(tmp_path / "logs"))  # type: ignore[arg-type]
    yield runner, scripted, ledger, journal
    journal.close()


async def test_order_follows_the_plan_and_independent_steps_overlap(rig) -> None:
    runner, scripted, _, _ = rig
    both = asyncio.Barrier(2)

    async def meet(_: StepContext) -> None:
        await asyncio.wait_for(both.wait(), 5)

    scripted.does = {"a@N1": meet, "a@N2": meet}
    steps = [step("a@N1"), step("a@N2"), step("b", ("a@N1", "a@N2"))]
    assert await runner.run(None, steps)
    assert scripted.order.index("begin b") > scripted.order.index("end a@N1")
    assert scripted.order.index("begin b") > scripted.order.index("end a@N2")


async def test_a_failure_stops_what_follows_and_nothing_else(rig) -> None:
    runner, scripted, ledger, _ = rig
    failed = asyncio.Event()

    async def slow(_: StepContext) -> None:
        await failed.wait()
        await asyncio.sleep(0)

    async def fail(_: StepContext) -> None:
        failed.set()
        raise OctotuiError("1603", node="N1", left="stopped", next_step="retry")

    scripted.does = {"a@N1": fail, "a@N2": slow}
    steps = [step("a@N1"), step("b@N1", ("a@N1",)), step("a@N2"), step("b@N2", ("a@N2",))]
    assert not await runner.run(None, steps)
    assert set(ledger.results) == {"a@N2", "b@N2"}
    assert ledger.failures["a@N1"]["next"] == "retry"
    assert "begin b@N1" not in scripted.order


async def test_a_second_run_repeats_only_what_failed_and_probes_it_first(rig) -> None:
    runner, scripted, ledger, journal = rig
    scripted.does = {"a@N1": OctotuiError("no")}
    steps = [step("a@N1"), step("a@N2")]
    await runner.run(None, steps)
    scripted.order.clear()
    scripted.probes["a@N1"] = Probe(True, "it is there", {"found": 1})
    assert await runner.run(None, steps)
    assert scripted.order == [], "what the probe found done is not done again"
    assert ledger.results["a@N1"] == {"found": 1}
    ended = [e.data for e in journal.events() if e.kind == "step.ended"][-1]
    assert (ended["outcome"], ended["attempt"]) == ("already", 2)


async def test_an_attempt_that_never_ended_is_taken_up_under_its_own_number(rig) -> None:
    runner, _, ledger, _ = rig
    ledger.attempts["a@N1"] = 1
    ledger.open.add("a@N1")
    assert await runner.run(None, [step("a@N1")])
    assert ledger.results["a@N1"] == {"attempt": 1}, "its jobs have to be found again by their ids"


async def test_in_doubt_is_a_failure_and_not_a_repetition(rig) -> None:
    runner, scripted, ledger, _ = rig
    scripted.does = {"a@N1": OctotuiError("no")}
    await runner.run(None, [step("a@N1")])
    scripted.order.clear()
    scripted.probes["a@N1"] = Probe(None, "nobody knows")
    assert not await runner.run(None, [step("a@N1")])
    assert scripted.order == []
    assert ledger.failures["a@N1"]["outcome_known"] is False


async def test_interrupting_ends_steps_that_can_be_and_begins_no_other(rig) -> None:
    runner, scripted, ledger, _ = rig

    async def forever(_: StepContext) -> None:
        runner.interrupt()
        await asyncio.Event().wait()

    scripted.does = {"a": forever}
    assert not await runner.run(None, [step("a"), step("b", ("a",))])
    assert "stopped on request" in ledger.failures["a"]["what"]
    assert "b" not in ledger.attempts


async def test_a_defect_in_a_step_fails_the_step_and_is_logged(rig, tmp_path: Path) -> None:
    runner, scripted, ledger, _ = rig
    scripted.does = {"a@N1": ZeroDivisionError("oops")}
    assert not await runner.run(None, [step("a@N1")])
    assert "internal error: ZeroDivisionError" in ledger.failures["a@N1"]["what"]
    assert "Traceback" in (tmp_path / "logs" / "N1.log").read_text()


async def test_steps_of_a_node_that_was_left_out_are_passed_over(rig) -> None:
    runner, scripted, ledger, _ = rig
    ledger.left_out.add("N2")
    assert await runner.run(None, [step("a@N1"), step("a@N2"), step("b", ("a@N1", "a@N2"))])
    assert "begin a@N2" not in scripted.order
    assert "b" in ledger.results


async def test_a_full_disk_stops_the_phase_before_the_act(rig, monkeypatch) -> None:
    runner, scripted, _, _journal = rig

    def full(*_: object) -> None:
        from octotui.run.journal import JournalError

        raise JournalError("disk full")

    monkeypatch.setattr(runner, "_append", full)
    with pytest.raises(ExceptionGroup):
        await runner.run(None, [step("a@N1")])
    assert scripted.order == []


def test_the_telling_lines_of_an_installer_log() -> None:
    log = "\n".join([f"line {n}" for n in range(9)] + ["Action X. Return value 3.", "cleanup"])
    assert telling_lines(log, 3) == ["line 7", "line 8", "Action X. Return value 3."]
    assert telling_lines("a\n\nb\nc", 2) == ["b", "c"]
