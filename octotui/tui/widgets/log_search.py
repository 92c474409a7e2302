"""From hit to hit in what a log shows, and what to say of the way there. No screen here."""

from __future__ import annotations

import re
from typing import TypeAlias

from octotui.tui.log_tail import Severity
from octotui.tui.widgets.log_buffer import LogBuffer, finder, pattern
from octotui.tui.widgets.log_window import LogWindow

#: The number of a line, None where there is none, and what to say of it.
Found: TypeAlias = tuple[int | None, str]


class LogSearch:
    """``text`` is what is looked for; errors and warnings are found without one."""

    def __init__(self, buffer: LogBuffer, window: LogWindow) -> None:
        self._buffer = buffer
        self._window = window
        self.text = ""
        self.pattern: re.Pattern[str] | None = None

    def begin(self, text: str) -> None:
        """Looks for another text. Raises ValueError for a faulty regular expression."""
        self.pattern = pattern(text)
        self.text = text

    def hit(self, forward: bool) -> Found:
        """The next line with the text, or the one before."""
        finds = finder(self.text)
        if finds is None:
            return None, ""
        start = self._window.start(forward)
        found = self._buffer.find(lambda line: finds(line.text), start, forward)
        return found, _way(start, found, forward, f"nothing has {self.text}")

    def bad(self, forward: bool) -> Found:
        """The next error or warning, or the one before."""
        start = self._window.start(forward)
        found = self._buffer.find(lambda line: line.severity >= Severity.WARN, start, forward)
        return found, _way(start, found, forward, "no error and no warning is shown")

    def cause(self) -> int | None:
        """The first error: the others mostly come of it."""
        return self._buffer.find(lambda line: line.severity >= Severity.ERROR, -1, forward=True)


def _way(start: int, found: int | None, forward: bool, none: str) -> str:
    """Says where the way went round the end of the lines, and that there is no other line."""
    if found is None:
        return none
    if found == start:
        return "no other one"
    if (found < start) == forward:
        return "from the top" if forward else "from the end"
    return ""
