"""Reading a journal without a trace: beside a writer, after it, and where there is none."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from octotui.run.journal import Journal, JournalError
from octotui.run.reading import BATCH, ReadingJournal

#: Appends an event for each line that it is told, and says so; ends as it is told.
WRITER = """
import os, sys
from pathlib import Path
from octotui.run.journal import Journal
journal = Journal(Path(sys.argv[1]), "r1")
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "die":
        os.kill(os.getpid(), 9)
    if line.strip() == "close":
        break
    journal.append("run", line.strip())
    print("written", flush=True)
journal.close()
"""

#: Reads in a process that may not write to the folder, also where the tests are run by root.
READER = """
import os, sys
from pathlib import Path
from octotui.run.journal import JournalError
from octotui.run.reading import ReadingJournal
if os.getuid() == 0:
    os.setuid(65534)
try:
    print(*(event.kind for event in ReadingJournal(Path(sys.argv[1]), "r1").events()))
except JournalError as error:
    print(error)
"""


class Writer:
    """A runner's journal in another process."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", WRITER, str(path)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self._answer("ready")

    def append(self, kind: str) -> None:
        self._say(kind)
        self._answer("written")

    def end(self, how: str) -> None:
        """``close`` or ``die``."""
        if self._process.poll() is None:
            self._say(how)
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _answer(self, expected: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == expected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path)
    yield writer
    writer.end("close")


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def kinds(journal: ReadingJournal, after: int = 0) -> list[str]:
    return [event.kind for event in journal.events(after)]


def test_what_a_live_writer_has_committed_is_seen_at_once(path: Path, writer: Writer) -> None:
    reading = ReadingJournal(path, "r1")
    before = files(path)
    for number in range(5):
        writer.append(f"kind-{number}")
        assert kinds(reading, after=number) == [f"kind-{number}"]
    assert files(path) == before == ["run.db", "run.db-shm", "run.db-wal"]


def test_a_reader_is_not_in_the_way_of_a_writer_that_ends(path: Path, writer: Writer) -> None:
    reading = ReadingJournal(path, "r1")
    writer.append("a")
    half_way = reading.events()
    next(half_way)
    writer.end("close")
    assert files(path) == ["run.db"]
    assert kinds(reading) == ["a"]
    assert files(path) == ["run.db"]


def test_a_writer_that_was_killed_has_left_everything(path: Path, writer: Writer) -> None:
    reading = ReadingJournal(path, "r1")
    writer.append("a")
    writer.append("b")
    writer.end("die")
    before = files(path)
    assert kinds(reading) == ["a", "b"]
    assert files(path) == before


def test_a_reader_follows_from_one_writer_to_the_next(path: Path, writer: Writer) -> None:
    reading = ReadingJournal(path, "r1")
    writer.append("a")
    writer.end("close")
    assert kinds(reading) == ["a"]
    for number in range(3):
        other = Writer(path)
        assert kinds(reading, after=number + 1) == []
        other.append(f"kind-{number}")
        assert kinds(reading, after=number + 1) == [f"kind-{number}"]
        other.end("die" if number == 1 else "close")
        assert kinds(reading, after=number + 1) == [f"kind-{number}"]


def test_a_writer_that_comes_and_goes_in_the_middle_of_a_read_is_noticed(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append("a")
    writer.end("close")
    select, came = ReadingJournal._select, []

    def disturbed(self: ReadingJournal, *arguments: object) -> list[tuple[object, ...]]:
        rows = select(self, *arguments)  # type: ignore[arg-type]
        if not came:
            came.append(True)
            other = Journal(path, "r1")
            other.append("run", "b")
            other.close()
        return rows

    monkeypatch.setattr(ReadingJournal, "_select", disturbed)
    assert kinds(ReadingJournal(path, "r1")) == ["a", "b"]


def test_a_long_journal_is_read_in_parts_and_as_a_whole(path: Path) -> None:
    journal = Journal(path, "r1")
    journal._db.execute("BEGIN")
    for _ in range(2 * BATCH + 1):
        journal.append("run", "x")
    journal._db.execute("COMMIT")
    reading = ReadingJournal(path, "r1")
    assert [event.seq for event in reading.events()] == list(range(1, 2 * BATCH + 2))
    assert [event.seq for event in reading.next_events(3, 2)] == [4, 5]
    assert reading.last("x") == next(reversed(list(journal.events())))
    assert reading.last("y") is None
    journal.close()


# --- a folder in which nothing may be written -----------------------------------------------------


def read_only(path: Path) -> str:
    """What a reader without the right to write there finds."""
    for folder in (path.parent, *path.parent.parents):
        if folder.name.startswith(("pytest-", "popen-")) or folder == path.parent:
            folder.chmod(0o755)
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        command = [sys.executable, "-c", READER, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    finally:
        path.parent.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are otherwise there")
@pytest.mark.parametrize("end", ["", "close", "die"])
def test_a_folder_that_is_read_only_is_enough(path: Path, writer: Writer, end: str) -> None:
    writer.append("a")
    if end:
        writer.end(end)
    before = files(path)
    assert read_only(path) == "a"
    assert files(path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="rights are otherwise there")
def test_a_log_without_its_index_needs_the_right_to_write(path: Path, writer: Writer) -> None:
    writer.append("a")
    writer.end("die")
    path.with_name("run.db-shm").unlink()
    assert "run.db cannot be read" in read_only(path)
    for file in path.parent.iterdir():
        file.chmod(0o644)
    assert kinds(ReadingJournal(path, "r1")) == ["a"]


# --- what is no journal, or a damaged one ---------------------------------------------------------


def test_a_run_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        list(ReadingJournal(tmp_path / "gone" / "run.db", "r1").events())
    with pytest.raises(JournalError, match="cannot be read"):
        list(ReadingJournal(tmp_path / "run.db", "r1").events())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"this is no database" * 99, "other", "other-wal"])
def test_what_is_no_journal_stays_as_it_is(path: Path, content: bytes | str) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        other = sqlite3.connect(path)
        if content == "other-wal":
            other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE something (else_ TEXT)")
        other.commit()
        other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"run\.db cannot be read"):
        list(ReadingJournal(path, "r1").events())
    assert path.read_bytes() == before
    assert files(path) == ["run.db"]


@pytest.mark.parametrize("data", ["{", "[" * 100_000, b"\xff"], ids=["cut", "deep", "bytes"])
def test_an_event_that_is_damaged_is_named(path: Path, data: object) -> None:
    journal = Journal(path, "r1")
    journal.append("run", "a")
    journal.append("run", "b")
    journal._db.execute("UPDATE event SET data = ? WHERE seq = 2", (data,))
    for reader in (ReadingJournal(path, "r1"), journal):
        with pytest.raises(JournalError, match="its event 2 is not readable"):
            list(reader.events())
        assert next(iter(reader.events())).kind == "a"
    journal.close()
