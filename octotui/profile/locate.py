"""Where every key and value of a TOML text stands; no TOML library tells.

The scan knows just enough of the grammar to find places, and never fails: where the text is no
TOML it stops, and what it had begun to read reaches to the end of the text. What is valid, and
what a value means, is the parser's business.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TypeAlias

import tomli

#: Keys and indexes from the root, as in ``("nodes", 0, "host")``.
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(slots=True)
class Entry:
    """Where one key and its value stand, as offsets into the text.

    For a table or an element of an array of tables both are the header's. ``end`` is behind the
    value, or the end of the text where the scan stopped within it.
    """

    path: KeyPath
    key: int
    value: int
    end: int
    is_header: bool = False


class Places:
    """All entries of a text, in its order.

    ``stopped`` is the offset from which on the text is no TOML, or None.
    """

    def __init__(self, text: str) -> None:
        scan = _Scan(text)
        self.text = text
        self.entries = scan.entries
        self.stopped = scan.stopped
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._first: dict[KeyPath, Entry] = {}
        for entry in self.entries:
            self._first.setdefault(entry.path, entry)

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._first

    def key(self, path: KeyPath) -> int:
        """The offset of a key, or of the nearest table around it that is written down."""
        return self._nearest(path).key

    def value(self, path: KeyPath) -> int:
        """The offset of a value, or of the nearest table around it that is written down."""
        return self._nearest(path).value

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, in characters."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column; at most the end of the text."""
        line = min(max(line, 1), len(self._lines))
        return min(self._lines[line - 1] + max(column, 1) - 1, len(self.text))

    def line(self, number: int) -> tuple[int, int]:
        """Start and end of a line as offsets, without its line break."""
        start = self._lines[number - 1]
        end = self.text.find("\n", start)
        return start, len(self.text) if end < 0 else end

    def _nearest(self, path: KeyPath) -> Entry:
        while path:
            if path in self._first:
                return self._first[path]
            path = path[:-1]
        return Entry((), 0, 0, 0)


#: Deeper than anybody writes, and shallow enough for Python's own stack.
_DEEPEST = 100

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?!"")(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'(?!'')[^'\n]*'"),
)


class _Stop(Exception):
    """The text is no TOML from here on."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.entries: list[Entry] = []
        self._text = text
        self._at = 0
        #: Paths of arrays of tables to how many elements were begun.
        self._arrays: dict[KeyPath, int] = {}
        self.stopped: int | None = None
        try:
            self._document()
        except _Stop:
            self.stopped = self._at

    def _document(self) -> None:
        table: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self._at == len(self._text):
                return
            if self._sees("["):
                table = self._header()
            else:
                self._pair(table, 0)
            self._skip(_SPACE)
            if self._at < len(self._text) and self._text[self._at] not in "#\r\n":
                raise _Stop

    def _header(self) -> KeyPath:
        start = self._at
        brackets = 2 if self._sees("[[") else 1
        self._at += brackets
        path: KeyPath = ()
        for part, at in self._keys():
            if path in self._arrays:
                path = (*path, self._arrays[path] - 1)
            path = (*path, part)
            self.entries.append(Entry(path, at, start, start, is_header=True))
        self._expect("]" * brackets)
        if brackets == 2:
            index = self._arrays.get(path, 0)
            self._arrays[path] = index + 1
            path = (*path, index)
        self.entries.append(Entry(path, start, start, self._at, is_header=True))
        return path

    def _pair(self, table: KeyPath, depth: int) -> None:
        path = table
        for part, at in self._keys():
            path = (*path, part)
            # What follows belongs to this key until the scan knows better: a value that cannot be
            # read may be a secret all the same.
            self.entries.append(Entry(path, at, self._at, len(self._text)))
        mine = self.entries[-1]
        for outer in self.entries[-(len(path) - len(table)) : -1]:
            outer.value = outer.end = outer.key
        self._expect("=")
        self._skip(_SPACE)
        mine.value = self._at
        self._value(path, depth)
        mine.end = self._at

    def _keys(self) -> list[tuple[str, int]]:
        keys = []
        while True:
            self._skip(_SPACE)
            at = self._at
            if self._sees('"') or self._sees("'"):
                keys.append((self._quoted_key(), at))
            else:
                keys.append((self._match(_BARE_KEY), at))
            self._skip(_SPACE)
            if not self._sees("."):
                return keys
            self._at += 1

    def _quoted_key(self) -> str:
        try:
            return str(tomli.loads(f"key = {self._string()}")["key"])
        except tomli.TOMLDecodeError:
            raise _Stop from None

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Stop
        if self._sees("["):
            self._array(path, depth + 1)
        elif self._sees("{"):
            self._inline_table(path, depth + 1)
        elif self._sees('"') or self._sees("'"):
            self._string()
        else:
            bare = self._match(_BARE_VALUE)
            self._at -= len(bare) - len(bare.rstrip())

    def _array(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._sees("]"):
                self._at += 1
                return
            entry = Entry((*path, index), self._at, self._at, len(self._text))
            self.entries.append(entry)
            self._value(entry.path, depth)
            entry.end = self._at
            index += 1
            self._skip(_BLANK)
            if not self._sees("]"):
                self._expect(",")

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._sees("}"):
                self._at += 1
                return
            self._pair(path, depth)
            self._skip(_BLANK)
            if not self._sees("}"):
                self._expect(",")

    def _string(self) -> str:
        for pattern in _STRINGS:
            if match := pattern.match(self._text, self._at):
                self._at = match.end()
                return match.group()
        raise _Stop

    def _sees(self, token: str) -> bool:
        return self._text.startswith(token, self._at)

    def _expect(self, token: str) -> None:
        self._skip(_SPACE)
        if not self._sees(token):
            raise _Stop
        self._at += len(token)

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Stop
        self._at = match.end()
        return match.group()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None, "these patterns match nothing as well"
        self._at = match.end()
