"""Versions as numbers, for comparing."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")


def numbers(version: str) -> tuple[int, int, int] | None:
    """year, minor and build; None for anything else, such as an early-access build."""
    shape = _SHAPE.fullmatch(version.strip())
    return None if shape is None else (int(shape[1]), int(shape[2]), int(shape[3]))
