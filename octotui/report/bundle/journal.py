"""Reading a journal that may be damaged, without writing to it: what can be had of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from octotui.api.events import Event

_EVENTS = "SELECT seq, at, subject, kind, data FROM event"


class SavedJournal:
    """The journal as far as it can be read. ``faults``: what was wrong with it, as sentences."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self._run_id = run_id
        self.faults: list[str] = []

    def events(self) -> Iterator[Event]:
        """The events in order; where the file is damaged, those before it and those after it."""
        last = 0
        for event in self._read(f"{_EVENTS} ORDER BY seq"):
            last = event.seq
            yield event
        if not self.faults:
            return
        found = list(self._read(f"{_EVENTS} WHERE seq > {last} ORDER BY seq DESC"))
        if found:
            self._note_lost(last + 1, found[-1].seq - 1)
        yield from reversed(found)

    def commands(self) -> list[dict[str, Any]]:
        """The control commands that were given, answered or not."""
        columns = ("id", "at", "by", "command", "argument", "answer")
        query = f"SELECT {', '.join(columns)} FROM command ORDER BY id"  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in self._rows(query)]

    def meta(self) -> dict[str, Any]:
        """What was asked for, by name."""
        found = {}
        for key, value in self._rows("SELECT key, value FROM meta ORDER BY key"):
            try:
                found[key] = json.loads(value)
            except (TypeError, ValueError):
                self._note(f"its entry {key} is not readable")
        return found

    def _read(self, query: str) -> Iterator[Event]:
        for seq, at, subject, kind, data in self._rows(query):
            try:
                values = json.loads(data)
            except (TypeError, ValueError):
                values = None
            if not isinstance(values, dict):
                self._note(f"its event {seq} is not readable")
                continue
            yield Event(seq, at, self._run_id, subject, kind, values)

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        # Read only: what is evidence stays as it is, and a file that is no journal does not
        # become one.
        address = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        try:
            database = sqlite3.connect(address, uri=True, timeout=5.0)
        except sqlite3.Error as error:
            self._note(f"it cannot be opened: {error}")
            return
        try:
            yield from database.execute(query)
        except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
            self._note(f"it cannot be read to its end: {error}")
        finally:
            database.close()

    def _note_lost(self, first: int, last: int) -> None:
        if first == last:
            self._note(f"event {first} of it is lost")
        elif first < last:
            self._note(f"events {first} to {last} of it are lost")

    def _note(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)
