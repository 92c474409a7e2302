"""Keeps the collector of circular garbage from holding up the screen."""

from __future__ import annotations

import gc
from typing import Final

#: Seconds between two full collections: each walks all that is kept, a tenth of a second for a
#: hundred thousand lines.
FULL: Final = 600.0


def settle() -> None:
    """Once the first picture stands: what lives now is walked no more, and full collections only

    come from ``collect``. Left to itself the collector would start one whenever the log had grown
    by a quarter.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1_000_000)


def collect() -> None:
    """Frees circular garbage, such as screens that were left."""
    gc.collect()
