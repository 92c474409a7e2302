"""The keys that texts name: a person may have moved them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from textual.keys import format_key

from octotui.tui.commands import BY_ID

#: Every command has the keys of the table.
NONE_MOVED: Final[Mapping[str, str]] = MappingProxyType({})


def shown_key(command: str, moved: Mapping[str, str]) -> str:
    """The first key of a command, as it is written on keyboards.

    ``moved``: the keys of commands that the person has given others, see ``keymap``.
    """
    keys = moved.get(command) or BY_ID[command].keys
    return format_key(keys.partition(",")[0].strip())
