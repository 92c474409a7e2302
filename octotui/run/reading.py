"""Reading a run's journal without leaving a trace, while its runner writes and afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from octotui.api.events import Event
from octotui.run.journal import SELECT_EVENTS, JournalError, JournalReads

#: So many events are read at once at most.
BATCH: Final = 1000

#: A read that a writer came or went in the middle of is done again, so often at most.
_TRIES: Final = 5

#: A writer that opens a journal holds readers up for less than that, seconds.
_PATIENCE: Final = 1.0

#: As a writer left it: SQLite looks at one file only, and asks for no right to make another.
_AT_REST: Final = "mode=ro&immutable=1"

#: With what is committed and stands in the write-ahead log still.
_WITH_LOG: Final = "mode=ro&readonly_shm=1"

#: The same where the log has lost its index, as in a copy: it is made anew beside it.
_WITHOUT_INDEX: Final = "mode=ro"


class ReadingJournal(JournalReads):
    """The journal for one who only looks. Nothing is written to it and no file is made.

    Nothing stays open between two reads: a runner that ends finds nobody in its way and puts its
    files in order; a journal that is gone is not made again. From a folder that is read only
    everything can be read but a write-ahead log that has lost its index (``run.db-wal`` without
    ``run.db-shm``): that is a JournalError.
    """

    def events(self, after: int = 0) -> Iterator[Event]:
        """Events with a higher ``seq`` than ``after``, in order, and those that come meanwhile."""
        more = True
        while more:
            more = False
            for event in self.next_events(after, BATCH):
                more, after = True, event.seq
                yield event

    def next_events(self, after: int, limit: int) -> Iterator[Event]:
        """The next ``limit`` events after that one at most."""
        query = f"{SELECT_EVENTS} WHERE seq > ? ORDER BY seq LIMIT ?"
        for row in self._rows(query, after, limit):
            yield self._event(row)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        for tries_left in reversed(range(_TRIES)):
            before = self._state()
            how = _WITH_LOG if before.log else _AT_REST
            try:
                rows = self._select(how, query, values)
            except sqlite3.Error as error:
                if tries_left and self._state() != before:
                    continue
                if before.log:
                    return self._without_index(query, values)
                raise self._unreadable(error) from error
            # Whoever reads at rest is not told of a writer who came meanwhile.
            if before.log or self._state() == before:
                return rows
        return self._without_index(query, values)

    def _without_index(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._select(_WITHOUT_INDEX, query, values)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _select(self, how: str, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        address = f"{self.path.absolute().as_uri()}?{how}"
        database = sqlite3.connect(address, uri=True, timeout=_PATIENCE)
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()

    def _state(self) -> _State:
        log = _stat(self.path.with_name(f"{self.path.name}-wal"))
        return _State(bool(log and log[-1]), _stat(self.path))

    def _unreadable(self, error: sqlite3.Error) -> JournalError:
        return JournalError(
            f"the journal {self.path} cannot be read: {error}",
            meaning="Nothing can be told of the run",
            next_step=f"Look at the rights of its folder; octotui bundle {self.run_id} saves what "
            "can still be read",
        )


class _State(NamedTuple):
    """How the files are: whether there is a log with anything in it, and the journal itself."""

    log: bool
    file: tuple[int, int, int] | None


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
