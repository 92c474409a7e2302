"""How many warnings and errors a log has had, so that none is missed when it scrolls on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from octotui.tui.log_tail import LogLine, Severity, local_time
from octotui.tui.widgets.paint import fit

#: Of a longer line so many cells are told, or nothing: less says nothing.
_LEAST: Final = 20

_FAINT: Final = "$text-muted"
_WARN: Final = "bold $text-warning"
_BAD: Final = "bold $text-error"


class LogTally:
    """Counts what came, also of lines that are not kept any more; of each node and of all.

    ``missed``: lines were never seen here, so that there were at least as many as are counted.
    """

    def __init__(self) -> None:
        self.missed = False
        self._kinds = {Severity.ERROR: _Kind(), Severity.WARN: _Kind()}

    def add(self, lines: Sequence[LogLine]) -> None:
        """Thousands a tick, of which few are bad: hardly more is done than to look at each."""
        least = Severity.WARN
        bad = [line for line in lines if line.severity >= least]
        for severity, kind in self._kinds.items() if bad else ():
            kind.add([line for line in bad if line.severity is severity])

    def recount(self, lines: Sequence[LogLine]) -> None:
        """Counts these alone, for others are gone again."""
        self._kinds = {severity: _Kind() for severity in self._kinds}
        self.add(lines)

    def count(self, node: str, severity: Severity) -> int:
        """Lines of a node, or of all for an empty name, that are as bad as this."""
        counts = self._kinds[severity].counts
        return counts[node] if node else counts.total()

    def newest(self, node: str) -> LogLine | None:
        """The newest error of a node or of all; while there is none, the newest warning."""
        found = (kind.newest.get(node) for kind in self._kinds.values())
        return next((line for line in found if line), None)


class _Kind:
    """Lines of one severity: how many by node, and the newest by node and of all."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.newest: dict[str, LogLine] = {}

    def add(self, lines: list[LogLine]) -> None:
        if lines:
            nodes = [line.node for line in lines]
            self.counts.update(nodes)
            self.newest.update(zip(nodes, lines, strict=True))
            self.newest[""] = lines[-1]


def tally_words(tally: LogTally, whose: str, node: str, width: int) -> Content:
    """Who logged how many errors and warnings, and as far as there is room the newest of them.

    ``node``: the one whose lines are counted; empty for all.
    """
    errors, warnings = (tally.count(node, kind) for kind in (Severity.ERROR, Severity.WARN))
    counts = Content.assemble(
        (f"{whose} logged {'at least ' if tally.missed else ''}", _FAINT),
        (f"✗ {errors} error{'s' * (errors != 1)}", _BAD if errors else _FAINT),
        (f"  ! {warnings} warning{'s' * (warnings != 1)}", _WARN if warnings else _FAINT),
    )
    line = tally.newest(node)
    if line is None:
        return counts
    kind = "error" if line.severity is Severity.ERROR else "warning"
    lead = f"  last {kind} {local_time(line.at)} " + (f"{line.node} " * (line.node != whose))
    room, needed = width - counts.cell_length - cell_len(lead), cell_len(line.text)
    if room < min(needed, _LEAST):
        return counts
    return counts + Content.styled(lead + fit(line.text, min(room, needed)), _FAINT)
