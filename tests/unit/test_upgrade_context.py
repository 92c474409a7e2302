"""What a step is given: clock, names of logs and jobs, and connections that are given up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from octotui.api.errors import Unreachable
from octotui.upgrade.steps.base import SystemClock
from tests.support.port_estate import rarely
from tests.support.steps import Stage, on_stage
from tests.virtual_time import run_virtually

__all__ = ["rarely"]
pytestmark = pytest.mark.usefixtures("rarely")


def test_the_systems_clock_is_the_real_one_and_really_sleeps() -> None:
    clock = SystemClock()
    assert clock.time() == pytest.approx(time.time(), abs=5)

    async def nap() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await clock.sleep(77)
        return loop.time() - begun

    assert run_virtually(nap()) == 77


def test_every_connection_is_given_up_also_where_one_cannot_be(tmp_path: Path) -> None:
    """A connection that breaks while it is closed is closed enough."""

    class Part:
        def __init__(self, name: str, given_up: list[str]) -> None:
            self._name = name
            self._given_up = given_up

        async def close(self) -> None:
            self._given_up.append(self._name)
            raise Unreachable(f"{self._name} is gone")

    async def play(stage: Stage) -> list[str]:
        given_up: list[str] = []
        parts = {name: Part(name, given_up) for name in ("server", "source", "OCTO1", "OCTO2")}
        world = replace(
            stage.world,
            server=parts["server"],
            source=parts["source"],
            nodes={name: parts[name] for name in ("OCTO1", "OCTO2")},
        )
        async with world as entered:
            assert entered is world
            assert given_up == []
        return given_up

    given_up = on_stage(tmp_path, "staging", play, nodes=1)
    assert sorted(given_up) == ["OCTO1", "OCTO2", "server", "source"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("C:\\ProgramData\\octotui\\jobs\\run-1.msi-target.2\\msi.log", "run-1.msi-target.2"),
        ("C:/ProgramData/octotui/jobs/somebodys.job/msi.log", "run-1.somebodys.job"),
        ("C:/msi.log", "run-1.C:"),
    ],
)
def test_a_kept_log_is_named_by_its_node_and_its_job_of_this_run(
    tmp_path: Path, path: str, name: str
) -> None:
    async def play(stage: Stage) -> None:
        context = stage.context("joining.install@OCTO2")
        assert context.log_name(path) == f"OCTO2-{name}.log"

    on_stage(tmp_path, "staging", play, nodes=2)


def test_jobs_are_named_so_that_a_node_takes_them(tmp_path: Path) -> None:
    """Lower case, letters, digits, dots and dashes; the same for the same attempt."""

    async def play(stage: Stage) -> None:
        context = stage.context("installing.install@OCTO1", run_id="Run_1 Ä")
        assert context.job_id("MSI target", 0) == "run-1--.msi-target.1"
        assert context.job_id("msi", 2) == "run-1--.msi.1.2"
        assert context.job_id_of("msi", 7, 3) == "run-1--.msi.7.3"
        first, second = context.reading_id("state"), context.reading_id("state")
        assert first != second
        assert first.startswith("run-1--.state.1.")

    on_stage(tmp_path, "staging", play, nodes=1)


def test_a_step_knows_its_node_and_the_first_one(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        context = stage.context("stopping.stop@OCTO2")
        assert context.node.name == "OCTO2"
        assert context.planned_node.name == "OCTO2"
        assert context.first.name == "OCTO1"
        assert context.database_step == "migrating.database@OCTO1"
        assert context.begun >= {"staging.download", "stopping.stop@OCTO2"}
        assert context.result("staging.download") != {}
        assert context.result("never.done") == {}
        assert context.installer_begun is False
        later = stage.context("installing.install@OCTO1")
        assert later.installer_begun is True

    on_stage(tmp_path, "maintenance", play, nodes=2)
