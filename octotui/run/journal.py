"""The journal of a run: the only truth about it.

SQLite in WAL mode with synchronous=FULL: what ``append`` returned from is on the disk. One
process writes events, the runner; anybody may add a command. Who only looks reads with
``octotui.run.reading``.
"""

from __future__ import annotations

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from octotui.api.errors import OctotuiError
from octotui.api.events import Event

FORMAT = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS command (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    by TEXT NOT NULL,
    command TEXT NOT NULL,
    argument TEXT NOT NULL,
    answer TEXT
);
"""

SELECT_EVENTS: Final = "SELECT seq, at, subject, kind, data FROM event"


class JournalError(OctotuiError):
    """The journal cannot be written or read. A run stops before its next act."""


@dataclass(frozen=True, slots=True)
class Command:
    """A control command in the journal. ``answer`` None: the runner has not taken it yet."""

    id: int
    at: float
    by: str
    command: str
    argument: str
    answer: str | None

    def __str__(self) -> str:
        return f"{self.command} {self.argument}".strip()


#: What an event raises that does not fit: of a damaged journal, or of another version's.
MISFIT: Final = (LookupError, TypeError, ValueError, AttributeError)


class JournalReads(ABC):
    """What can be asked of a journal. Everything raises JournalError where it cannot be read."""

    def __init__(self, path: Path, run_id: str) -> None:
        self.path = path
        self.run_id = run_id

    @abstractmethod
    def _rows(self, query: str, *values: object) -> Iterable[tuple[Any, ...]]: ...

    def events(self, after: int = 0) -> Iterator[Event]:
        """Events with a higher ``seq`` than ``after``, in order."""
        for row in self._rows(f"{SELECT_EVENTS} WHERE seq > ? ORDER BY seq", after):
            yield self._event(row)

    def of_kinds(self, *kinds: str) -> Iterator[Event]:
        """The events of these kinds in order, without reading the others."""
        wanted = ", ".join("?" * len(kinds))
        query = f"{SELECT_EVENTS} WHERE kind IN ({wanted}) ORDER BY seq"
        for row in self._rows(query, *kinds):
            yield self._event(row)

    def newest(self) -> int:
        """The ``seq`` of the last event; 0 where there is none."""
        [(newest,)] = self._rows("SELECT max(seq) FROM event")
        return newest or 0

    def last(self, kind: str) -> Event | None:
        """The newest event of a kind, without reading the others."""
        rows = self._rows(f"{SELECT_EVENTS} WHERE kind = ? ORDER BY seq DESC LIMIT 1", kind)
        return next((self._event(row) for row in rows), None)

    def meta(self, key: str) -> Any:
        """A value that ``set_meta`` wrote, or None."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return next((self._value(value, f"its entry {key}") for (value,) in rows), None)

    def pending_commands(self) -> list[Command]:
        """Commands that the runner has not answered."""
        return self._commands("WHERE answer IS NULL ORDER BY id")

    def get_command(self, command_id: int) -> Command:
        return self._commands("WHERE id = ?", command_id)[0]

    def _commands(self, where: str, *values: object) -> list[Command]:
        columns = "SELECT id, at, by, command, argument, answer FROM command "
        return [Command(*row) for row in self._rows(columns + where, *values)]

    def _event(self, row: tuple[Any, ...]) -> Event:
        seq, at, subject, kind, data = row
        return Event(seq, at, self.run_id, subject, kind, self._value(data, f"its event {seq}"))

    def _value(self, text: str, what: str) -> Any:
        try:
            return json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise JournalError(
                f"the journal {self.path} is damaged: {what} is not readable",
                meaning="What it tells of the run is not to be relied on",
                next_step=f"octotui bundle {self.run_id} saves what can still be read of it",
            ) from error


class Journal(JournalReads):
    """A run's journal, to write into. ``redact`` masks secrets in everything that is written."""

    def __init__(
        self,
        path: Path,
        run_id: str,
        *,
        redact: Callable[[str], str] = lambda text: text,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path, run_id)
        self.redact = redact
        self._now = now
        try:
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            row = self._db.execute("SELECT max(seq) FROM event").fetchone()
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        self._seq: int = row[0] or 0

    def append(self, subject: str, kind: str, data: Mapping[str, Any] | None = None) -> Event:
        """Writes one event durably and returns it. Raises JournalError; then nothing was written.

        Only the runner calls this.
        """
        written = masked(data or {}, self.redact)
        text = json.dumps(written, ensure_ascii=False)
        at = self._now()
        try:
            self._db.execute(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?)",
                (self._seq + 1, at, subject, kind, text),
            )
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        self._seq += 1
        return Event(self._seq, at, self.run_id, subject, kind, written)

    def set_meta(self, key: str, value: object) -> None:
        try:
            self._db.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                (key, json.dumps(masked(value, self.redact))),
            )
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def command(self, command: str, argument: str, by: str) -> int:
        """Adds a control command for the runner and returns its id."""
        try:
            cursor = self._db.execute(
                "INSERT INTO command (at, by, command, argument) VALUES (?, ?, ?, ?)",
                (self._now(), by, command, argument),
            )
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        return cursor.lastrowid or 0

    def answer(self, command_id: int, answer: str) -> None:
        """Marks a command as taken, with the sentence that says what came of it."""
        try:
            self._db.execute("UPDATE command SET answer = ? WHERE id = ?", (answer, command_id))
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(query, values)
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def close(self) -> None:
        self._db.close()


def masked(value: Any, redact: Callable[[str], str]) -> Any:
    """JSON values with secrets masked in every text. Keys are ours: one that happens to be some

    account's password must still be found again.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: masked(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, redact) for item in value]
    return value


def _unusable(path: Path, error: sqlite3.Error) -> JournalError:
    return JournalError(
        f"the journal {path} cannot be used: {error}",
        meaning="Without a journal nothing more is done",
        next_step="Look at the disk's free space and rights, then resume the run",
    )
