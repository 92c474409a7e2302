"""Waiving a check by keys: what is offered, what is begun, and what begins nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from octotui.run.directory import RunDirectory
from octotui.run.reading import ReadingJournal
from octotui.run.request import RunRequest
from octotui.tui import processes
from octotui.tui.app import Cockpit
from octotui.tui.screens.base import KeyLine
from octotui.tui.screens.waive import Waive
from tests.cockpit_support import Make, Recorded, is_end

ASKED = RunRequest("/profiles/prod-eu.toml", "2025.4.10428", approved=True, waived=("quota",))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[RunDirectory]:
    """The runs whose process would have been started."""
    runs: list[RunDirectory] = []
    monkeypatch.setattr(processes, "start", lambda run, request: runs.append(run))
    return runs


@asynccontextmanager
async def report(run: Recorded) -> AsyncIterator[tuple[Cockpit, Pilot[Any]]]:
    """The cockpit at that run's report."""
    ASKED.write(run.journal)
    app = Cockpit(run.run, now=run.now, environment={})
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        yield app, pilot


async def waived_by(begun: list[RunDirectory], app: Cockpit, pilot: Pilot[Any]) -> RunRequest:
    """What the new run was asked for. It is opened in a thread: waits for it, some seconds."""
    for _ in range(1000):
        if begun and app.store is not None and app.store.run == begun[0]:
            break
        await pilot.pause(0.02)
    await pilot.pause()
    assert getattr(app.screen, "PLACE", "") == "plan"
    [run] = begun
    return RunRequest.read(ReadingJournal(run.journal, run.run_id))


async def test_a_check_is_waived_besides_those_that_were_and_the_new_run_is_shown(
    recorded: Make, begun: list[RunDirectory]
) -> None:
    async with report(recorded("no-way-back", alive=False)) as (app, pilot):
        assert "w waive" in str(app.screen.query_one(KeyLine).render())
        await pilot.press("w", "down", "enter")
        asked = await waived_by(begun, app, pilot)
    assert asked == RunRequest(
        ASKED.profile, ASKED.to, approved=False, attended=True, waived=("quota", "way-back")
    )


async def test_waiving_nothing_is_the_default_and_begins_nothing(
    recorded: Make, begun: list[RunDirectory]
) -> None:
    async with report(recorded("no-way-back", alive=False)) as (app, pilot):
        for key in ("enter", "escape"):
            await pilot.press("w")
            assert isinstance(app.screen, Waive)
            await pilot.press(key)
            await pilot.pause()
            assert getattr(app.screen, "PLACE", "") == "report"
    assert begun == []


async def test_what_is_mandatory_is_named_and_cannot_be_chosen(
    recorded: Make, begun: list[RunDirectory]
) -> None:
    async with report(recorded("no-way-back", alive=False)) as (app, pilot):
        await pilot.press("w")
        options = app.screen.query_one(OptionList).options
        words = [str(option.prompt).split()[:2] for option in options]
        assert words == [["nothing", "Begin"], ["✗", "disk-space"], ["way-back", "the"]]
        assert [option.disabled for option in options] == [False, True, False]
        assert "still refused unless disk-space passes" in str(options[2].prompt)


async def test_several_are_waived_at_once(recorded: Make, begun: list[RunDirectory]) -> None:
    run = recorded("no-way-back", is_end, alive=False)
    run.tell("finding", {
        "check": "backup-age", "result": "fail", "evidence": "the last backup is of May",
        "node": None, "fix": "", "link": "", "mandatory": False, "waived": False,
    })  # fmt: skip
    run.tell("run.ended", {"outcome": "refused", "exit_code": 3, "lines": ["Refused."]})
    async with report(run) as (app, pilot):
        await pilot.press("w", "end", "enter")
        asked = await waived_by(begun, app, pilot)
    assert asked.waived == ("quota", "way-back", "backup-age")


async def test_where_everything_that_refused_is_mandatory_there_is_nothing_to_choose(
    recorded: Make, begun: list[RunDirectory]
) -> None:
    async with report(recorded("refused", alive=False)) as (app, pilot):
        assert "waive" not in str(app.screen.query_one(KeyLine).render())
        await pilot.press("w")
        assert getattr(app.screen, "PLACE", "") == "report"
