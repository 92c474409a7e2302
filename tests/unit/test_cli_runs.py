"""The list of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from octotui.api.errors import OctotuiError
from octotui.cli.attach import attach
from octotui.cli.runs import report, runs
from tests.cockpit_support import Recorded


def test_a_run_with_a_damaged_journal_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    damaged = tmp_path / "runs" / "20250101-000000-0000"
    damaged.mkdir(parents=True)
    (damaged / "run.db").write_text("no database")
    whole = Recorded(tmp_path, "succeeded", alive=False)
    try:
        told = json.loads(CliRunner().invoke(runs, ["--json"]).stdout)
        assert [(row["run"], row["state"]) for row in told] == [
            ("20250101-000000-0000", "damaged"),
            (whole.run.run_id, "succeeded"),
        ]
        assert "damaged" in CliRunner().invoke(runs).stdout
    finally:
        whole.close()


@pytest.mark.parametrize("damage", ["cut", "misfit"])
def test_a_run_with_a_damaged_event_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", alive=False)
    run.tell("step.ended", {"step": "of nobody"})
    if damage == "cut":
        run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = 5")
    try:
        assert json.loads(CliRunner().invoke(runs, ["--json"]).stdout)[0]["state"] == "damaged"
        for command in (attach, report):
            error = CliRunner().invoke(command, [run.run.run_id]).exception
            assert isinstance(error, OctotuiError)
            assert "octotui bundle" in str(error)
    finally:
        run.close()


def test_a_run_whose_lock_cannot_be_looked_at_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", alive=False)
    (run.run.path / "lock").mkdir()
    [row] = json.loads(CliRunner().invoke(runs, ["--json"]).stdout)
    assert (row["state"], row["alive"]) == ("succeeded", None)
    run.journal.close()


def test_a_run_that_was_refused_before_it_began_is_listed_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", lambda event: True, alive=False)
    data = {"holder": "r0", "what": "busy", "next": "", "profile": "", "cluster": "https://eu"}
    run.tell("run.refused", data)
    run.close()
    told = CliRunner().invoke(runs).stdout
    assert told.split() == [run.run.run_id, "refused", "https://eu"]


def test_listing_runs_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", alive=False)
    run.close()
    before = sorted(tmp_path.rglob("*"))
    CliRunner().invoke(runs)
    assert sorted(tmp_path.rglob("*")) == before
