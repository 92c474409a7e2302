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
    "▶": "running",
    "●": "waiting",
    "⋅": "at rest",
    "✓": "done",
}


def heading(rows: Iterable[Row], nodes: int) -> str:
    """The shown nodes by glyph and word, of ``nodes`` in all."""
    counts = Counter(row.glyph for row in rows)
    shown = sum(counts.values())
    states = "  ".join(f"{glyph} {n} {_KINDS[glyph]}" for glyph, n in counts.items())
    of = f"{shown} of {nodes}" if shown != nodes else str(nodes)
    return f"Nodes {of}   {states}" if states else f"Nodes {of}"
