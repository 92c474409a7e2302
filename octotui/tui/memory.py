"""Keeps the collector of circular garbage from holding up the screen."""

from __future__ import annotations

import gc
from typing import Final

#: Seconds between two full collections: each walks all that is kept, which takes tens of
#: milliseconds where many lines are.
FULL: Final = 600.0


def hurry() -> None:
    """Leaves the collector out until ``settle``: what is made before that stays anyway.

    Walking it again and again takes a tenth of the time to the first picture.
    """
    gc.disable()


def settle() -> None:
    """Once the first picture stands: what lives now is walked no more.

    Full collections only come from ``collect``: left to itself the collector would start one
    whenever the log had grown by a quarter.
    """
    gc.freeze()
    gc.enable()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1_000_000)


def collect() -> None:
    """Frees circular garbage, such as screens that were left."""
    gc.collect()
