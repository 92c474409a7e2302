"""What a person reads where something went wrong, and the words of heads and reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octotui.tui.commands import BY_ID
from octotui.tui.screens.decision_text import (
    decision_title,
    happened_text,
    stands_text,
    wait_text,
)
from octotui.tui.screens.plan_text import findings_text, plan_head
from octotui.tui.screens.report_text import report_head, report_text
from octotui.tui.screens.run_text import run_head
from octotui.tui.screens.waiting_text import waiting_text
from octotui.tui.situation import Situation
from octotui.view import RunView, fold
from tests.cockpit_support import Recorded, begins, is_end
from tests.tui.scenes import SCENES

Event = dict[str, Any]


def never(event: Event) -> bool:
    return False


def whole(folder: Path, name: str, until: Callable[[Event], bool] = never) -> RunView:
    run = Recorded(folder, name, until, alive=False)
    try:
        return fold(run.journal.events())
    finally:
        run.close()


def test_the_cause_is_told_before_what_to_do_and_where_its_log_lies(tmp_path: Path) -> None:
    lines = happened_text(Situation(whole(tmp_path, "joining-failed"), True), "").plain.splitlines()
    begins_with = ["✗ FAILED OCTO2", "  the installation ended", "  │ ===", "  │ Action ended"]
    begins_with += ["  The installer's log on the node: C:/", "  do: Find the cause in that log"]
    for line, begin in zip(lines, begins_with, strict=False):
        assert line.startswith(begin)


def test_the_last_lines_of_a_failed_database_upgrade_stand_for_themselves(tmp_path: Path) -> None:
    view = whole(tmp_path, "database-failed")
    lines = happened_text(Situation(view, True), "").plain.splitlines()
    cause = lines.index(
        "  │ Invalid column name 'Lab' in script "
        "'Octopus.Core.UpgradeScripts.Script0815Lab.sql'"
    )  # fmt: skip
    assert cause < next(n for n, line in enumerate(lines) if line.startswith("  do: "))


def test_how_the_database_stands_is_said_once(tmp_path: Path) -> None:
    view = whole(tmp_path, "database-failed")
    said = happened_text(Situation(view, True), "").plain + stands_text(view, 0.0).plain
    assert said.count("database is unchanged, still 2025.2.13071") == 1
    assert "not ended well" not in said
    assert "proved unchanged" not in BY_ID["run.rollback"].consequence(view)


def test_without_its_process_nobody_knows_how_the_database_upgrade_ended(tmp_path: Path) -> None:
    view = whole(tmp_path, "resumed", lambda event: event["kind"] == "run.resumed")
    assert "database upgrade began; how it ended is not known" in stands_text(view, 0.0).plain
    assert "must be proved unchanged first" in BY_ID["run.rollback"].consequence(view)


def test_many_nodes_that_stand_alike_are_counted(tmp_path: Path) -> None:
    said = stands_text(whole(tmp_path, "many"), 0.0).plain.splitlines()[0]
    assert " nodes s" in said
    assert len(said) < 160


def test_a_run_without_a_process_is_not_said_to_wait(tmp_path: Path) -> None:
    view = whole(tmp_path, "joining-failed", is_end)
    dead = Situation(view, alive=False)
    assert decision_title(dead) == "✗ Process gone: joining did not end well"
    assert wait_text(dead) == "Nothing is decided; nothing goes on until somebody takes the run up."
    assert "taking the run up does it again" in happened_text(dead, "").plain
    assert run_head(dead, 0.0, 0.0).plain.startswith(" ✗ process gone  ")
    assert "waits for you" not in waiting_text(dead, 0.0, 6).plain
    alive = Situation(view, alive=True)
    assert "waits for you" in waiting_text(alive, 0.0, 6).plain
    assert decision_title(alive) == "✗ Joining did not end well"
    assert wait_text(alive).endswith("waits with no time limit.")


def test_profile_and_versions_are_to_be_seen_in_80_columns(tmp_path: Path) -> None:
    view = whole(tmp_path, "joining-failed", is_end)
    head = run_head(Situation(view, alive=True), view.state_since, view.state_since).plain
    assert head == " ● live  ! needs a person in joining  prod-eu 2025.2.13071 → 2025.4.10428"
    assert plan_head(Situation(view, alive=True), 0.0).plain.startswith(" prod-eu 2025.2.13071 → ")
    assert report_head(view).plain.startswith(" prod-eu 2025.2.13071 → ")


@pytest.mark.parametrize(("what", "head"), [
    ("run 7 is upgrading this cluster. Look at it: octotui attach 7", " run r  ✗ refused"),
])  # fmt: skip
def test_what_a_refused_run_never_knew_is_not_asked(what: str, head: str) -> None:
    view = RunView(run="r", outcome="refused", lines=[what])
    assert report_head(view).plain == head
    view = RunView(run="r", profile="/p/eu.toml", from_version="1.2", outcome="refused")
    assert report_head(view).plain == " eu 1.2  ✗ refused"


def test_durations_are_those_of_the_clocks(tmp_path: Path) -> None:
    view = whole(tmp_path, "succeeded")
    view.last_stop, view.first_serving = 100.0, 109.6
    assert "outage was 0:09" in stands_text(view, 0.0).plain
    outage = next(
        line for line in report_text(view, "", 78).plain.splitlines() if line.startswith("outage")
    )
    assert outage.split()[-2:] == ["0:09", "4:18"]


def test_what_passed_on_more_nodes_is_said_of_the_nodes(tmp_path: Path) -> None:
    said = findings_text(whole(tmp_path, "succeeded", begins("staging.stage@OCTO1"))).plain
    assert "OCTO1 answers, OCTOLAB\\admin is elevated (2 more nodes alike)" in said


async def shown(folder: Path, scene: str, size: tuple[int, int]) -> list[str]:
    """The lines of a scene as they are on the screen."""
    played = SCENES[scene]
    run = played.record(folder)
    try:
        app = played.cockpit(run)
        async with app.run_test(size=size) as pilot:
            await played.play(pilot, run)
            strips = app.screen._compositor.render_strips()
            return ["".join(part.text for part in strip) for strip in strips]
    finally:
        run.close()


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))


@pytest.mark.parametrize(("scene", "texts"), [
    ("decision-failed-database", ["Invalid column name", "Cluster: ", "Roll back"]),
    ("decision-failed-node", ["Return value 3", "Cluster: ", "before it is started.",
                              "tab: read on"]),
])  # fmt: skip
async def test_cause_cluster_and_every_choice_fit_into_24_lines(
    tmp_path: Path, scene: str, texts: list[str]
) -> None:
    lines = await shown(tmp_path, scene, (80, 24))
    for text in texts:
        assert any(text in line for line in lines), text


async def test_cluster_and_every_choice_fit_into_12_lines(tmp_path: Path) -> None:
    lines = await shown(tmp_path, "tiny-decision", (50, 12))
    for text in ("FAILED OCTO2", "Cluster: OCTO1, OCTO3 serving", "Wait", "Retry", "Leave out"):
        assert any(text in line for line in lines), text


async def test_what_is_waited_for_is_shown_on_the_smallest_screen(tmp_path: Path) -> None:
    lines = await shown(tmp_path, "tiny-run", (50, 12))
    assert any("OCTO1: upgrade the database once" in line for line in lines)


def test_on_the_way_back_no_hold_is_ahead_any_more(tmp_path: Path) -> None:
    view = whole(tmp_path, "rolled-back", begins("rolling_back.reinstall@OCTO1"))
    view.hold = ("migrating",)
    assert "will stop" not in waiting_text(Situation(view, alive=True), view.state_since, 6).plain
    assert not BY_ID["run.release-all"].possible(Situation(view, alive=True))
    view.state = "draining"
    assert (
        "will stop before migrating"
        in waiting_text(Situation(view, alive=True), view.state_since, 6).plain
    )
    assert BY_ID["run.release-all"].possible(Situation(view, alive=True))
