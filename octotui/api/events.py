"""Events: what a journal holds, what viewers fold, what plugins are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's journal.

    ``seq`` counts from 1 without gaps. ``at`` is wall-clock seconds since the epoch. ``subject``
    is what it is about: ``run``, ``node:NAME`` or ``step:ID``. ``kind`` is a dotted word listed in
    ``docs/events.md``. ``data`` holds JSON values only, never a secret.
    """

    seq: int
    at: float
    run: str
    subject: str
    kind: str
    data: Mapping[str, Any]
