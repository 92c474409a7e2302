"""Whether a runner lives is looked at without leaving a trace, and its last words are bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from octotui.run.directory import RunDirectory
from octotui.run.process import is_alive, last_words, process_lock


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
    with pytest.raises(OSError, match="lock"):
        is_alive(run)


def test_of_long_last_words_the_end_is_read(run: RunDirectory) -> None:
    assert last_words(run) == ""
    run.runner_log.write_bytes(b"x" * 10_000_000 + "\n\xff the end ä\n".encode("latin-1"))
    words = last_words(run)
    assert len(words) <= 2000
    assert words.endswith("\ufffd the end \ufffd")
