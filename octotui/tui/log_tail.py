"""Follows the log files of a run: lines of all nodes, merged by the time that they came.

Only reads; a file that cannot be read now is tried again at the next poll.
"""

from __future__ import annotations

import calendar
import heapq
import os
import re
import time
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

#: A poll hands out this many lines at most and reads this often at most, so many bytes each time:
#: what is behind that comes with the next polls, in order, and the screen's loop is never held up.
LINES: Final = 400
READS: Final = 32
CHUNK: Final = 16 * 1024
#: So many lines are kept to be looked at; the files have all. With more of them, of usual length,
#: the screen would need over 60 MB.
KEPT_LINES: Final = 25_000
#: A line is cut after so many bytes: a file may go on for ever without an end of line.
LONGEST: Final = 64 * 1024
#: What a line that was cut says at its end.
CUT: Final = " ... (cut)"


class Severity(IntEnum):
    """How bad a line is. Its name is the word that is shown."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a node's log, or of the run's own (node ``run``).

    ``at``: when it came, UTC, like 2026-01-31T12:00:00Z. ``text`` is without that time and, where
    Octopus wrote the line, without Octopus's own time and level.
    """

    at: str
    node: str
    severity: Severity
    text: str


_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
#: Later than every time.
_NEVER: Final = b"~"
#: Octopus Server's log: time, process, thread, level, text.
_OCTOPUS: Final = re.compile(r"\d{4}-\d\d-\d\d [\d:.]+\s+\d+\s+\d+\s+([A-Z]+)\s+")
_LEVELS: Final = {
    "TRACE": Severity.DEBUG,
    "DEBUG": Severity.DEBUG,
    "INFO": Severity.INFO,
    "WARN": Severity.WARN,
    "ERROR": Severity.ERROR,
    "FATAL": Severity.ERROR,
}
#: Without a level words have to tell. "0 errors" and "errors: 0" are no error. Windows Installer
#: ends the action that failed with "Return value 3".
_WORDS: Final = re.compile(
    r"(?<!\bno )(?<!\b0 )(?<!\bwithout )(?:"
    r"(\berrors?|\bfatal|exceptions?|\bfailed|\bfailures?|\breturn value 3)|(\bwarn(?:ings?)?))\b"
    r"(?!(?: \w+)?: 0(?:[,;.)]|$))",
    re.IGNORECASE,
)
_HINTS: Final = ("error", "fail", "warn", "exception", "fatal", "return value 3")

#: What a terminal would obey instead of showing, and what turns the order of letters round.
_OBEYED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text without anything that a terminal would obey: text of nodes reaches the screen."""
    if text.isprintable():
        return text
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text.expandtabs(4))


def parse(line: str, node: str, at: str = "") -> LogLine:
    """A line as it stands in a file. ``at`` is the time of one that has none."""
    line = printable(line)
    if _STAMP.match(line):
        # Tens of thousands of lines share the text of their few seconds.
        at, line = at if line.startswith(at) and at else line[:20], line[21:]
    if octopus := _OCTOPUS.match(line):
        severity = _LEVELS.get(octopus[1], Severity.INFO)
        return LogLine(at, node, severity, line[octopus.end() :])
    severity = Severity.INFO
    small = line.lower()
    # Looking for words that may be there is several times faster than for the expression.
    if any(hint in small for hint in _HINTS) and (word := _WORDS.search(line)):
        severity = Severity.ERROR if word[1] else Severity.WARN
    return LogLine(at, node, severity, line)


@lru_cache(maxsize=4096)
def local_time(at: str) -> str:
    """The local time of day of a line's ``at``: 14:03:59. Eight blanks for an unknown one."""
    try:
        seconds = calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return " " * 8
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _stamp(raw: bytes) -> bytes:
    """The time at the beginning of a line; empty where there is none."""
    # Before a regular expression: this is asked of every line twice.
    return raw[:20] if raw[19:21] == b"Z " and raw[10:11] == b"T" else b""


class _File:
    """One log: how far it was read, and its lines that were not handed out yet, as they stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.node = path.stem
        self.waiting: deque[bytes] = deque()
        #: The newest time that was read, and the time of the line that was handed out last.
        self.newest = b""
        self._at = ""
        self.offset = 0
        self._rest = b""
        #: The line at the end of what was read was cut: the rest of it is dropped.
        self._drops = False

    def read(self) -> int:
        """Takes in what is new, a chunk at most, and returns how many bytes that were."""
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset)
                data = file.read(CHUNK)
        except OSError:
            return 0
        self.offset += len(data)
        lines = self._split(data)
        self.waiting.extend(lines)
        # A clock that was set back must not hold up the lines of the other nodes.
        self.newest = max(self.newest, max(map(_stamp, lines), default=b""))
        return len(data)

    def _split(self, data: bytes) -> list[bytes]:
        """The lines that end in it, and the last one where it has grown too long."""
        if self._drops:
            _, end, data = data.partition(b"\n")
            self._drops = not end
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            lines.append(self._rest[:LONGEST] + CUT.encode())
            self._rest, self._drops = b"", True
        return lines

    @property
    def head(self) -> bytes:
        """The time of the line that is next: its own, or that of the one before."""
        return _stamp(self.waiting[0]) or self._at.encode()

    def take(self) -> LogLine:
        raw = self.waiting.popleft()
        line = parse(raw.decode("utf-8", "replace").rstrip("\r"), self.node, self._at)
        self._at = line.at
        return line


class LogTail:
    """The logs in a run's ``logs`` folder, from their beginning on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._grown: deque[_File] = deque()
        self.behind = False

    def poll(self, limit: int = LINES) -> list[LogLine]:
        """Lines that were not handed out yet, by time; those of one file in its order.

        At most ``limit`` lines, from at most ``READS`` reads: ``behind`` says whether there is
        more. A last line without its end waits for it. Where a file has more than was read, lines
        of the others that are younger wait until it has caught up.
        """
        if not self._grown:
            self._grown = self._look()
        self._read(limit)
        # Equal times may go: they are whole seconds, and their order says nothing.
        horizon = min((file.newest for file in self._grown), default=_NEVER)
        found: list[LogLine] = []
        files = [file for file in self._files.values() if file.waiting]
        heads = [(file.head, number) for number, file in enumerate(files)]
        heapq.heapify(heads)
        while heads and len(found) < limit and heads[0][0] <= horizon:
            number = heads[0][1]
            found.append(files[number].take())
            if files[number].waiting:
                heapq.heapreplace(heads, (files[number].head, number))
            else:
                heapq.heappop(heads)
        self.behind = bool(self._grown or heads)
        return found

    def _read(self, limit: int) -> None:
        """Reads on in files that grew; one that has more than a chunk comes again."""
        for _ in range(min(READS, len(self._grown))):
            file = self._grown.popleft()
            if len(file.waiting) > limit // 4 or file.read() == CHUNK:
                self._grown.append(file)

    def _look(self) -> deque[_File]:
        """The files that have more than was read: a look at a folder costs less than a read."""
        grown: deque[_File] = deque()
        try:
            with os.scandir(self._folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    file = self._files.get(entry.name)
                    if file is None:
                        if not entry.name.endswith(".log") or self._is_kept(entry.name):
                            continue
                        file = self._files[entry.name] = _File(Path(entry.path))
                    if entry.stat().st_size > file.offset:
                        grown.append(file)
        except OSError:
            pass  # the folder, or a file in it, is gone or not there yet: the next poll looks again
        return grown

    def _is_kept(self, name: str) -> bool:
        """Whether this is a log fetched from a node as a whole, as an installer's is."""
        return f"-{self._folder.parent.name}." in name
