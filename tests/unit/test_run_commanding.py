"""Commands from outside a run's process: noted where they can still be taken, refused where not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from octotui.api.errors import OctotuiError
from octotui.cli.runs import control, resume
from octotui.run.commanding import Given, give_command
from octotui.run.request import RunRequest
from tests.cockpit_support import Recorded, enters, is_end


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))


class Runs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Recorded] = []

    def __call__(self, *arguments: Any, **options: Any) -> Recorded:
        self.made.append(Recorded(self.folder, *arguments, **options))
        return self.made[-1]


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    for run in runs.made:
        run.close()


def sent(run: Recorded) -> list[str]:
    return [str(command) for command in run.commands()]


def test_a_command_for_a_run_that_lives_is_taken_soon(recorded: Runs) -> None:
    run = recorded("succeeded", enters("stopping"))
    assert give_command(run.run, "hold", "migrating") == Given(1, taken_soon=True)
    assert sent(run) == ["hold migrating"]


def test_one_for_a_run_that_nobody_carries_out_waits(recorded: Runs) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    with pytest.raises(OctotuiError, match="not possible"):
        give_command(run.run, "abort", "")
    assert give_command(run.run, "leave-out", "OCTO2") == Given(1, taken_soon=False)
    assert sent(run) == ["leave-out OCTO2"]


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize(
    ("name", "outcome"),
    [("succeeded", "succeeded"), ("rolled-back", "rolled_back"), ("refused", "refused")],
)
def test_a_run_at_its_end_takes_none_even_while_its_process_ends(
    recorded: Runs, name: str, outcome: str, alive: bool
) -> None:
    run = recorded(name, alive=alive)
    with pytest.raises(OctotuiError, match=f"has ended: {outcome}"):
        give_command(run.run, "hold", "")
    assert sent(run) == []


def test_a_run_that_may_live_is_stopped_all_the_same(recorded: Runs) -> None:
    run = recorded("succeeded", enters("stopping"), alive=False)
    lock = run.run.path / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    assert give_command(run.run, "hold", "").taken_soon
    lock.rmdir()


def test_a_journal_that_is_not_understood_is_told_in_a_sentence(recorded: Runs) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    run.journal._db.execute("UPDATE event SET data = '{}' WHERE kind = 'plan'")
    with pytest.raises(OctotuiError, match=r"cannot be understood.*octotui bundle"):
        give_command(run.run, "leave-out", "OCTO2")
    assert sent(run) == []


def refused(run: Recorded) -> None:
    """Another run had the cluster when this one was taken up."""
    data = {"holder": "r0", "what": "r0 upgrades it", "next": "Wait", "profile": "", "cluster": ""}
    run.tell("run.refused", data)


def test_a_changed_run_is_not_closed_by_another_one_that_was_quicker(recorded: Runs) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    refused(run)
    assert give_command(run.run, "leave-out", "OCTO2") == Given(1, taken_soon=False)


# --- octotui control ------------------------------------------------------------------------------


def test_a_command_that_nobody_takes_now_is_said_to_wait(recorded: Runs) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    told = CliRunner().invoke(control, [run.run.run_id, "leave-out", "OCTO2"])
    assert told.stdout == (
        f"Nobody carries out {run.run.run_id} now. The command is noted and comes first with: "
        f"octotui resume {run.run.run_id}\n"
    )


class Answers:
    """Stands for the run: it answers between two looks, or dies, or does neither."""

    def __init__(self, run: Recorded, answer: str = "", dies: bool = False) -> None:
        self.run, self.answer, self.dies = run, answer, dies
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += 10.0
        if self.dies:
            self.run.die()
        if self.answer:
            self.run.journal.answer(1, self.answer)

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("answer", "dies", "said"),
    [
        ("will hold before migrating", False, "will hold before migrating"),
        ("will hold before migrating", True, "will hold before migrating"),
        ("", True, "The command is noted and comes first with: octotui resume"),
        ("", False, "the run has not taken it within 0:30"),
    ],
)
def test_what_came_of_a_command_is_told(
    recorded: Runs, monkeypatch: pytest.MonkeyPatch, answer: str, dies: bool, said: str
) -> None:
    run = recorded("succeeded", enters("stopping"))
    monkeypatch.setattr("octotui.cli.runs.time", Answers(run, answer, dies))
    assert said in CliRunner().invoke(control, [run.run.run_id, "hold"]).stdout


def test_a_refusal_is_an_error(recorded: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded("succeeded", enters("stopping"))
    monkeypatch.setattr("octotui.cli.runs.time", Answers(run, "refused: it is too late"))
    error = CliRunner().invoke(control, [run.run.run_id, "hold"]).exception
    assert isinstance(error, OctotuiError)
    assert str(error) == "it is too late."


def test_a_run_that_ends_before_it_could_take_a_command_is_told(
    recorded: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded("succeeded", enters("stopping"))

    class Ends(Answers):
        def sleep(self, seconds: float) -> None:
            state = {"from": "finishing", "to": "succeeded", "trigger": "done"}
            run.tell("state", {**state, "waiting_phase": "", "changed": True})
            run.die()

    monkeypatch.setattr("octotui.cli.runs.time", Ends(run))
    error = CliRunner().invoke(control, [run.run.run_id, "hold"]).exception
    assert isinstance(error, OctotuiError)
    assert "ended before it could take it: succeeded" in str(error)


def test_a_command_is_noted_where_nobody_can_tell_whether_the_run_lives(
    recorded: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded("succeeded", enters("stopping"), alive=False)
    lock = run.run.path / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    monkeypatch.setattr("octotui.cli.runs.time", Answers(run))
    told = CliRunner().invoke(control, [run.run.run_id, "hold"])
    assert (told.exit_code, sent(run)) == (0, ["hold"])
    assert "noted; the run has not taken it within 0:30" in told.stdout
    lock.rmdir()


# --- octotui resume -------------------------------------------------------------------------------


def test_taking_a_run_up_tells_what_comes_first(
    recorded: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    run.journal.command("leave-out", "OCTO2", "ann")
    begun: list[object] = []
    RunRequest("prod.toml").write(run.journal)
    monkeypatch.setattr("octotui.cli.runs.start", lambda run, *_: begun.append(run))
    monkeypatch.setattr("octotui.cli.runs.watch", lambda run, **options: 0)
    told = CliRunner().invoke(resume, [run.run.run_id])
    assert begun == [run.run]
    assert "First comes what was asked for meanwhile: leave-out OCTO2 (ann)." in told.stderr


def test_a_changed_run_that_was_refused_once_is_taken_up_again(
    recorded: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded("joining-failed", is_end, alive=False)
    refused(run)
    begun: list[object] = []
    RunRequest("prod.toml").write(run.journal)
    monkeypatch.setattr("octotui.cli.runs.start", lambda run, *_: begun.append(run))
    monkeypatch.setattr("octotui.cli.runs.watch", lambda run, **options: 0)
    CliRunner().invoke(resume, [run.run.run_id])
    assert begun == [run.run]


def test_a_run_that_died_before_it_could_say_how_it_ended_says_so_when_taken_up(
    recorded: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded("succeeded", alive=False)
    run.journal._db.execute("DELETE FROM event WHERE kind = 'run.ended'")
    RunRequest("prod.toml").write(run.journal)
    begun: list[object] = []
    monkeypatch.setattr("octotui.cli.runs.start", lambda run, *_: begun.append(run))
    monkeypatch.setattr("octotui.cli.runs.watch", lambda run, **options: options["after"])
    CliRunner().invoke(resume, [run.run.run_id])
    assert begun == [run.run]
