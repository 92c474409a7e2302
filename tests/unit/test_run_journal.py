"""The journal: on the disk when append returns, in order, masked, and read beside the writer."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from octotui.run.journal import Journal, JournalError
from octotui.run.logs import NodeLogs


@pytest.fixture
def journal(tmp_path: Path):
    journal = Journal(tmp_path / "run.db", "r1", now=lambda: 1234.5)
    yield journal
    journal.close()


def test_what_append_returned_from_is_there_for_everybody(journal: Journal) -> None:
    event = journal.append("run", "run.started", {"nodes": ["N1", "Ü2"]})
    assert (event.seq, event.at, event.run) == (1, 1234.5, "r1")
    other = Journal(journal.path, "r1")
    assert list(other.events()) == [event]
    other.close()


def test_a_writer_that_is_killed_loses_nothing_that_it_had_appended(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    code = (
        "import os, sys; from pathlib import Path; from octotui.run.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), 'r1')\n"
        "for number in range(50): journal.append('run', 'finding', {'number': number})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode != 0
    journal = Journal(path, "r1")
    assert [e.data["number"] for e in journal.events()] == list(range(50))
    assert journal.append("run", "finding").seq == 51
    journal.close()


def test_every_write_waits_for_the_disk(journal: Journal) -> None:
    full = 2
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (full,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_reader_follows_beside_the_writer(journal: Journal) -> None:
    reader = Journal(journal.path, "r1")
    journal.append("run", "a")
    journal.append("run", "b")
    assert [e.kind for e in reader.events()] == ["a", "b"]
    journal.append("run", "c")
    assert [e.kind for e in reader.events(after=2)] == ["c"]
    reading = reader.events()
    next(reading)
    journal.append("run", "d")  # a reader half-way through blocks nobody
    assert [e.kind for e in reading][:2] == ["b", "c"]
    reader.close()


def test_events_have_numbers_without_gaps_over_restarts(tmp_path: Path) -> None:
    for _ in range(3):
        journal = Journal(tmp_path / "run.db", "r1")
        journal.append("run", "x")
        journal.append("run", "y")
        journal.close()
    journal = Journal(tmp_path / "run.db", "r1")
    assert [e.seq for e in journal.events()] == [1, 2, 3, 4, 5, 6]
    journal.close()


def test_secrets_are_masked_in_all_that_is_written_and_handed_on(tmp_path: Path) -> None:
    def redact(text: str) -> str:
        return text.replace("hunter2", "***")

    journal = Journal(tmp_path / "run.db", "r1", redact=redact)
    told = journal.append("run", "step.ended", {"error": {"what": "login hunter2 failed"}})
    journal.set_meta("request", {"key": "hunter2"})
    assert told.data["error"]["what"] == "login *** failed"
    assert journal.meta("request") == {"key": "***"}
    journal.close()
    logs = NodeLogs(tmp_path / "logs", redact)
    logs.write("N1", "password hunter2\n")
    logs.keep("msi.log", "password hunter2\n")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"hunter2" not in file.read_bytes(), file


def test_a_write_that_fails_is_an_error_that_says_what_to_do_and_takes_no_number(
    journal: Journal,
) -> None:
    journal.append("run", "a")
    journal._db.execute(f"PRAGMA max_page_count={page_count(journal)}")
    with pytest.raises(JournalError) as full:
        journal.append("run", "b", {"text": "x" * 1_000_000})
    assert "full" in str(full.value)
    assert "resume the run" in str(full.value)
    journal._db.execute("PRAGMA max_page_count=1000000")
    assert journal.append("run", "c").seq == 2
    assert [e.kind for e in journal.events()] == ["a", "c"]


def page_count(journal: Journal) -> int:
    return int(journal._db.execute("PRAGMA page_count").fetchone()[0])


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough" * 99, None])
def test_what_is_no_journal_is_said_in_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(JournalError, match=r"run\.db cannot be used"):
        Journal(path, "r1")


def test_an_open_journal_whose_table_is_damaged_says_so(journal: Journal) -> None:
    sqlite3.connect(journal.path).execute("DROP TABLE event")
    with pytest.raises(JournalError, match="cannot be used"):
        list(journal.events())


def test_commands_are_taken_in_order_and_answered_once(journal: Journal) -> None:
    viewer = Journal(journal.path, "r1")
    first = viewer.command("hold", "next", "ann")
    second = viewer.command("release", "", "bob")
    assert [c.id for c in journal.pending_commands()] == [first, second]
    assert viewer.get_command(first).answer is None
    journal.answer(first, "will hold before staging")
    assert [c.command for c in journal.pending_commands()] == ["release"]
    told = viewer.get_command(first)
    assert (told.by, told.argument, told.answer) == ("ann", "next", "will hold before staging")
    viewer.close()


def test_data_comes_back_as_it_was_written(journal: Journal) -> None:
    data = {"text": "Zeile\n\x1b[31m\u2028", "number": 1.5, "none": None, "list": [True, {}]}
    assert journal.append("run", "x", data).data == data
    assert next(journal.events()).data == json.loads(json.dumps(data))


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    logs = NodeLogs(tmp_path / "logs")
    (tmp_path / "logs" / "N1.log").mkdir()
    logs.write("N1", "a line\n")
    (tmp_path / "logs" / "kept.log").mkdir()
    logs.keep("kept.log", "text")


def test_masking_leaves_the_keys_that_a_resumed_run_looks_for(tmp_path: Path) -> None:
    """Somebody's password may well be a word of ours."""
    journal = Journal(tmp_path / "run.db", "r", redact=lambda text: text.replace("step", "***"))
    journal.append("run", "step.started", {"step": "a step", "list": [{"step": "step 1"}]})
    [event] = journal.events()
    assert event.data == {"step": "a ***", "list": [{"step": "*** 1"}]}
    journal.close()
