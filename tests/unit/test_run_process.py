"""Whether a runner lives is looked at without leaving a trace, and its last words are bounded."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from octotui.cli import runner
from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal
from octotui.run.process import (
    LifeUnknown,
    RunnerRefused,
    carrying_out,
    is_alive,
    last_words,
    process_lock,
    start,
)
from octotui.run.request import RunRequest, resumed_request


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    folder = tmp_path / "runs" / "r1"
    folder.mkdir(parents=True)
    return RunDirectory(folder)


def test_of_a_run_that_is_gone_nothing_is_made(tmp_path: Path) -> None:
    assert not is_alive(RunDirectory(tmp_path / "runs" / "gone"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_no_runner_ever_took_gets_no_lock(run: RunDirectory) -> None:
    assert not is_alive(run)
    assert list(run.path.iterdir()) == []


def test_it_lives_for_as_long_as_its_lock_is_held(run: RunDirectory) -> None:
    with process_lock(run).acquire(timeout=0):
        assert is_alive(run)
    assert not is_alive(run)


def test_two_who_look_do_not_take_each_other_for_a_runner(run: RunDirectory) -> None:
    fcntl = pytest.importorskip("fcntl")
    with process_lock(run).acquire(timeout=0):
        pass
    with (run.path / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_alive(run)


def test_a_lock_that_cannot_be_looked_at_is_no_answer(run: RunDirectory) -> None:
    (run.path / "lock").mkdir()
    with pytest.raises(LifeUnknown, match=r"r1 is alive cannot be told.*lock.*rights"):
        is_alive(run)
    with pytest.raises(LifeUnknown), carrying_out(run):
        raise AssertionError("nobody carries it out")


def test_one_process_at_a_time_carries_a_run_out(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octotui.run.process._PATIENCE", 0.0)
    with carrying_out(run):
        with pytest.raises(RunnerRefused, match="octotui attach r1"), carrying_out(run):
            raise AssertionError("two carry it out")
        assert is_alive(run), "the first still does"


def test_a_second_runner_is_not_started_and_leaves_the_first_its_words(run: RunDirectory) -> None:
    run.runner_log.write_text("words of the first")
    with carrying_out(run), pytest.raises(RunnerRefused, match="Run r1 is alive"):
        start(run, RunRequest("prod.toml"))
    assert last_words(run) == "words of the first"


def test_of_two_that_start_at_once_the_loser_says_so_and_writes_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other one had no lock yet when this one looked."""
    monkeypatch.setattr("octotui.run.process._PATIENCE", 0.0)
    before = requested(run, monkeypatch)
    with process_lock(run):
        assert runner.main() == 2
    assert "Run r1 is alive" in capsys.readouterr().err
    assert run.journal.read_bytes() == before
    assert not list(run.path.glob("run.db-*"))


def test_one_that_gets_its_turn_after_the_other_is_done_does_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it was started for was decided before the other did its part, and may be done by now."""
    requested(run, monkeypatch)
    journal = Journal(run.journal, run.run_id)
    journal.append("run", "run.ended", {"outcome": "held", "exit_code": 4, "lines": []})
    journal.close()
    before = run.journal.read_bytes()
    assert runner.main() == 2
    assert "Another process has carried run r1 out meanwhile" in capsys.readouterr().err
    assert run.journal.read_bytes() == before


def test_a_runner_is_started_with_what_it_was_decided_by(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Mock(return_value=Mock(wait=Mock(return_value=0)))
    monkeypatch.setattr("octotui.run.process.subprocess.Popen", begun)
    request = RunRequest("prod.toml", "2025.4", waived=("quota",))
    start(run, request, 17)
    *_, path, seen, text = begun.call_args.args[0]
    assert (path, seen, RunRequest.parse(text)) == (str(run.path), "17", request)


def test_what_came_of_a_run_does_not_hang_on_its_report(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(run.journal, run.run_id)
    monkeypatch.setattr(runner, "render", Mock(side_effect=KeyError("nodes")))
    runner._write_report(run, journal)
    assert "KeyError: 'nodes'" in capsys.readouterr().err
    journal.close()


def requested(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A run that was asked for and nothing else, and its journal; ``main`` would carry it out."""
    monkeypatch.setattr(runner, "assemble", lambda request, run_id: Mock(redact=str))
    monkeypatch.setattr(sys, "argv", ["runner", str(run.path), "0", RunRequest("prod.toml").text()])
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    journal = Journal(run.journal, run.run_id)
    RunRequest("prod.toml").write(journal)
    journal.close()
    return run.journal.read_bytes()


@pytest.mark.parametrize("approved", [True, False])
def test_whoever_takes_a_run_up_approves_for_himself(run: RunDirectory, approved: bool) -> None:
    journal = Journal(run.journal, run.run_id)
    before = RunRequest("prod.toml", "2025.4", approved=not approved, waived=("quota",))
    before.write(journal)
    journal.close()
    assert resumed_request(run, approved=approved, attended=True) == RunRequest(
        "prod.toml", "2025.4", approved=approved, attended=True, waived=("quota",)
    )
