"""The list of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from octotui.cli.runs import runs
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
