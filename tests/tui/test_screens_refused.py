"""A run that was refused: what is said of it, and the ways on from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import OptionList

from octotui.run.directory import RunDirectory
from octotui.run.reading import ReadingJournal
from octotui.run.request import RunRequest
from octotui.tui import processes
from octotui.tui.app import Cockpit
from octotui.tui.home_list import HomeList
from octotui.tui.screens.base import KeyLine, Line
from octotui.tui.screens.decision import DecisionScreen
from tests.cockpit_support import Recorded, enters, until

HOLDER = "20251009-085320-0002"


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """A run that found another one, which is alive, at work on its cluster."""
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    other = Recorded(tmp_path, "succeeded", enters("stopping"), run_id=HOLDER)
    run = Recorded(tmp_path, "succeeded", lambda event: True, alive=False)
    run.tell("run.refused", {
        "holder": HOLDER, "what": f"run {HOLDER} is upgrading this cluster",
        "next": f"Look at it: octotui attach {HOLDER}",
        "profile": "/profiles/prod-eu.toml", "cluster": "https://octopus.lab",
    }, at=other.at)  # fmt: skip
    yield run
    run.close()
    other.close()


def opened(app: Cockpit) -> str:
    assert app.store is not None
    return app.store.run.run_id


async def test_it_says_which_cluster_and_offers_what_there_is(refused: Recorded) -> None:
    app = Cockpit(refused.run, now=refused.now, environment={})
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        head = str(app.screen.query_one("#report-head", Line).render())
        assert head == " prod-eu  ✗ refused"
        keys = str(app.screen.query_one(KeyLine).render())
        assert "c check again" in keys
        assert "o open the other run" in keys
        for nothing_there in ("look at the run", "replay", "bundle", "plan", "back"):
            assert nothing_there not in keys


async def test_the_run_that_holds_the_cluster_is_opened_in_its_place(refused: Recorded) -> None:
    app = Cockpit(refused.run, now=refused.now, environment={})
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: opened(app) == HOLDER)
        await pilot.pause()
        assert getattr(app.screen, "PLACE", "") == "run"
        await pilot.press("h", "n", "q")
    assert app.return_value is not None
    assert app.return_value.run == RunDirectory(refused.run.path.parent / HOLDER)


async def test_a_holder_that_is_gone_is_told(refused: Recorded) -> None:
    app = Cockpit(refused.run, now=refused.now, environment={})
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert app.store is not None
        app.store.view.holder = "20200101-000000-0000"
        await pilot.press("o")
        await until(pilot, lambda: len(app._notifications) > 0)
        assert opened(app) == refused.run.run_id


async def test_checking_again_asks_for_the_same_and_approves_nothing(
    refused: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[RunDirectory] = []
    monkeypatch.setattr(processes, "start", lambda run, request: begun.append(run))
    asked = RunRequest("/profiles/prod-eu.toml", "2025.4.10428", approved=True, waived=("backup",))
    asked.write(refused.journal)
    app = Cockpit(refused.run, now=refused.now, environment={})
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: opened(app) != refused.run.run_id)
        assert [run.run_id for run in begun] == [opened(app)]
        await pilot.pause()
        assert getattr(app.screen, "PLACE", "") == "plan"
    again = RunRequest.read(ReadingJournal(begun[0].journal, begun[0].run_id))
    assert again == RunRequest(
        asked.profile, asked.to, approved=False, attended=True, waived=asked.waived
    )


def test_home_names_it_but_knows_the_profile_by_runs_that_began(
    refused: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "prod-eu.toml"
    profile.write_text('[cluster]\nurl = "https://octopus.lab"\n')
    began = Recorded(
        tmp_path, "joining-failed", run_id="20251009-085320-0000", profile=str(profile)
    )
    never = Recorded(
        tmp_path, "succeeded", lambda event: True, alive=False, run_id="20251009-085320-0003"
    )
    data = {"holder": "", "what": "busy", "next": "", "profile": str(profile), "cluster": ""}
    never.tell("run.refused", data, at=began.at)
    monkeypatch.setattr("octotui.tui.home_list.profile_files", lambda: [profile])
    try:
        [row], runs = HomeList().read(began.now())
    finally:
        began.close()
        never.close()
    assert row.last is not None
    assert row.last.run == began.run
    assert {run.name for run in runs if run.run == never.run} == {"prod-eu"}


async def test_a_changed_run_that_another_one_kept_from_the_cluster_says_so_and_can_be_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "joining-failed", enters("joining"), alive=False)
    refusal = {"holder": HOLDER, "what": f"{HOLDER} upgrades this cluster", "next": "Wait"}
    run.tell("run.refused", {**refusal, "profile": "", "cluster": ""})
    app = Cockpit(run.run, now=run.now, environment={})
    async with app.run_test(size=(120, 40)) as pilot:
        app.tick()
        await pilot.pause()
        assert isinstance(app.screen, DecisionScreen)
        words = app.screen.text()
        assert f"{HOLDER} upgrades this cluster. Wait" in words
        assert "process gone" in str(app.screen.query_one("#decision-head").render())
        choices = app.screen.query_one("#choices", OptionList)
        assert [option.id for option in choices.options] == ["wait", "run.resume"]
    [row] = HomeList().read(run.now())[1]
    assert (row.gone, row.waits) == (True, True)
    run.close()
