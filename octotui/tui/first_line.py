"""What is written before the full screen is there: the run's head line, where it will stand.

Loading and laying out the whole takes as long again as starting Textual does. Whether the run
lives and where it is need not wait for that.
"""

from __future__ import annotations

from octotui.tui.screens.run_text import run_head
from octotui.tui.situation import Situation
from octotui.tui.widgets.paint import fit


def first_line(situation: Situation, now: float, heard: float, width: int) -> str:
    """For the terminal: in the first row, without colours, and so readable on every background.

    ``now`` and ``heard``, when the last news came: epoch seconds.
    """
    return f"\x1b[H\x1b[1m{fit(run_head(situation, now, heard).plain, width)}\x1b[0m"
