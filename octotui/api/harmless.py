"""Text that nodes and plugins produced, without what a terminal would obey instead of showing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

#: Control characters but tab and newline, and what turns the order of letters round.
_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(value: Any) -> Any:
    """JSON values with each such character replaced by a mark, in texts and in keys."""
    if isinstance(value, str):
        return value if value.isprintable() else _OBEYED.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {harmless(key): harmless(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(item) for item in value]
    return value
