"""How often is looked, and that waiting costs little: with the product's own pauses."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from octotui.api.facts import Job
from octotui.upgrade.steps.base import StepFailed
from octotui.upgrade.steps.waits import pause, problem_of, until
from tests.support.steps import Stage, on_stage


def test_a_wait_becomes_at_most_a_fiftieth_longer_by_looking_too_late() -> None:
    assert [pause(elapsed) for elapsed in (0.0, 2.5, 25.0, 50.0, 100.0, 10_000.0)] == [
        0.05,
        0.05,
        0.5,
        1.0,
        2.0,
        2.0,
    ]


def test_tasks_are_looked_at_often_at_first_and_then_less(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        looks: list[float] = []
        for node in stage.plan.nodes:
            await stage.do(f"draining.drain@{node.name}")
        stage.estate.hook = lambda moment, call: (
            looks.append(stage.now) if call == "server running-tasks" else None
        )
        begun = stage.now
        await stage.do("draining.wait")
        pauses = [round(after - before, 3) for before, after in pairwise(looks)]
        assert min(pauses) == 0.05
        assert max(pauses) <= 2.0
        assert pauses == sorted(pauses)
        assert looks[-1] - begun <= 30 * 1.03

    on_stage(tmp_path, "draining", play, nodes=1)


def test_what_never_comes_is_given_up_after_its_limit_with_the_last_reason(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        context = stage.context("starting.serving@OCTO1")
        reasons = ["first", "second"]

        async def ask() -> str:
            return reasons.pop(0) if len(reasons) > 1 else reasons[0]

        begun = stage.now
        with pytest.raises(StepFailed) as caught:
            await until(context, ask, limit=100, what="the node")
        assert caught.value.what == "the node did not come to pass within 100 s: second"
        assert caught.value.node == "OCTO1"
        assert 100 < stage.now - begun <= 102
        assert stage.report.waits == ["first", "second"]

    on_stage(tmp_path, "staging", play, nodes=1)


def test_what_has_no_limit_is_waited_for(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        context = stage.context("starting.serving@OCTO1")
        begun = stage.now

        async def ask() -> str:
            return "not yet" if stage.now - begun < 5000 else ""

        await until(context, ask, limit=None, what="the node")
        assert 5000 <= stage.now - begun <= 5002
        assert stage.report.waits == ["not yet", ""]

    on_stage(tmp_path, "staging", play, nodes=1)


@pytest.mark.parametrize(
    ("exit_code", "result", "problem"),
    [
        (0, {}, ""),
        (0, {"problem": ""}, ""),
        (0, {"problem": "it is not"}, "it is not"),
        (3, {"problem": "it is not"}, "it is not"),
        (3, {}, "it ended with exit code 3"),
        (None, {}, "it ended with exit code None"),
    ],
)
def test_a_job_did_what_its_name_says_only_with_exit_code_0_and_no_problem(
    exit_code: int | None, result: dict[str, object], problem: str
) -> None:
    job = Job("run-1.stop.1", "ended", exit_code, result, "", 0)
    assert problem_of(job) == problem
