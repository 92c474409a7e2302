"""Follows the log files of a run: lines of all nodes, merged by the time that they came.

Only reads; a file that cannot be read now is tried again at the next poll.
"""

from __future__ import annotations

import calendar
import heapq
import re
import time
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

#: A poll hands out this many lines at most and reads this many bytes of a file at most: what is
#: behind that comes with the next polls, in order, and the screen's loop is never held up.
LINES: Final = 5000
CHUNK: Final = 256 * 1024


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
#: Without a level words have to tell. "0 errors" and "no error" are no error.
_WORDS: Final = re.compile(
    r"(?<!no )(?<!0 )(?:(\berror|\bfatal|exception|\bfailed|\bfailure)|(\bwarn(?:ing)?))\b",
    re.IGNORECASE,
)
_HINTS: Final = ("error", "fail", "warn", "exception", "fatal")

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
        # A hundred thousand lines share the text of their few seconds.
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


class _File:
    """One log: how far it was read, and its lines that were not handed out yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.node = path.stem
        self.waiting: deque[LogLine] = deque()
        self.last = ""
        self._offset = 0
        self._rest = b""

    def read(self) -> bool:
        """Takes in what is new, a chunk at most. True where there is more of it."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(CHUNK)
        except OSError:
            return False
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            line = parse(raw.decode("utf-8", "replace").rstrip("\r"), self.node, self.last)
            # A clock that was set back must not hold up the lines of the other nodes.
            self.last = max(self.last, line.at)
            self.waiting.append(line)
        return len(data) == CHUNK


class LogTail:
    """The logs in a run's ``logs`` folder, from their beginning on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    def poll(self, limit: int = LINES) -> list[LogLine]:
        """Lines that were not handed out yet, by time; those of one file in its order.

        A last line without its end waits for it. Where a file has more than a poll reads, lines
        of the others that are younger wait until it has caught up.
        """
        self._look_for_files()
        horizon = "~"  # after every time
        for file in self._files.values():
            behind = len(file.waiting) >= limit or file.read()
            if behind:
                horizon = min(horizon, file.last)
        files = list(self._files.values())
        heads = [(file.waiting[0].at, n) for n, file in enumerate(files) if file.waiting]
        heapq.heapify(heads)
        found: list[LogLine] = []
        while heads and len(found) < limit:
            at, number = heads[0]
            if at > horizon:
                break
            waiting = files[number].waiting
            found.append(waiting.popleft())
            if waiting:
                heapq.heapreplace(heads, (waiting[0].at, number))
            else:
                heapq.heappop(heads)
        return found

    def _look_for_files(self) -> None:
        try:
            names = sorted(self._folder.glob("*.log"))
        except OSError:
            return
        for path in names:
            if path.name not in self._files and not self._is_kept(path):
                self._files[path.name] = _File(path)

    def _is_kept(self, path: Path) -> bool:
        """Whether this is a log fetched from a node as a whole, as an installer's is."""
        return f"-{self._folder.parent.name}." in path.name
