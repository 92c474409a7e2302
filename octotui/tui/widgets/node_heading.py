"""What the title of the nodes' table says: how many there are, and what they are at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from octotui.tui.widgets.node_rows import Row

#: What a row's glyph says, in a word.
_KINDS: Final = {
    "✗": "failed",
    "!": "left out",
    "?": "not known",
    "▶": "running",
    "●": "waiting",
    "⋅": "at rest",
    "✓": "done",
}


def heading(rows: Iterable[Row], nodes: int) -> str:
    """The shown nodes by glyph and word, of ``nodes`` in all."""
    counts = Counter(row.glyph for row in rows)
    shown = sum(counts.values())
    # Always in this order: a count that changes its place is not found again.
    states = "  ".join(
        f"{glyph} {counts[glyph]} {word}" for glyph, word in _KINDS.items() if counts[glyph]
    )
    of = f"{shown} of {nodes}" if shown != nodes else str(nodes)
    return f"Nodes {of}   {states}" if states else f"Nodes {of}"
