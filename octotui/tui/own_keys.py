"""The keys that a person sets: which of them can be used, and what is wrong with the others."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from textual.binding import Binding, InvalidBinding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from octotui.tui.command import Command
from octotui.tui.commands import BY_ID, COMMANDS, EVERYWHERE
from octotui.tui.widgets.log_keys import KEYS as LOG_KEYS
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.step_matrix import StepMatrix

_MODIFIERS: Final = {"ctrl", "alt", "shift", "super", "hyper", "meta"}
_NAMES: Final = {key.value for key in Keys if "+" not in key.value} | set(
    KEY_NAME_REPLACEMENTS.values()
)
#: Keys of Textual's own that are needed everywhere, and what for.
_RESERVED: Final = {"ctrl+p": "palette", "ctrl+q": "leaving at once", "ctrl+c": "copying"}
#: Parts of a screen have keys of their own, which come before the screen's.
_PARTS: Final = (
    (("run", "node", "kept-log"), LOG_KEYS),
    (("run",), NodeGrid.BINDINGS),
    (("run",), StepMatrix.BINDINGS),
)


def usable(wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Those of the keys by command that can be used, and a sentence on each of the others.

    Where two commands of one screen would have one key, both keep the keys they come with.
    """
    keys, faults = {}, []
    for name, key in wanted.items():
        if nonsense := next((part for part in key.split(",") if not _is_key(part.strip())), None):
            faults.append(f"'{nonsense}' is no key; {name} keeps {BY_ID[name].keys}")
        elif not all(part.strip() for part in key.split(",")):
            faults.append(f"'{key}' lacks a key; {name} keeps {BY_ID[name].keys}")
        else:
            keys[name] = key
    # What keeps its own key may be in the way of the next one.
    while clash := next(_clashes(keys), None):
        name, key, other = clash
        faults.append(f"{key} cannot be {name}: it is {other}; both keep their own keys")
        keys.pop(name)
        keys.pop(other, None)
    return keys, faults


def keys_of(keys: str) -> set[str]:
    """Keys in one text, by their long names: question_mark for ?."""
    try:
        return {binding.key for binding in Binding.make_bindings([Binding(keys, "")])}
    except InvalidBinding:
        return set()


def part_keys(places: Iterable[str] = EVERYWHERE) -> Iterator[tuple[str, set[str]]]:
    """What the tables and the log on these screens do by keys of their own, and by which."""
    for where, bindings in _PARTS:
        for binding in bindings if set(places) & set(where) else ():
            assert isinstance(binding, Binding), "they have names"
            yield binding.id or "", keys_of(binding.key)


def _is_key(text: str) -> bool:
    if len(text) <= 1:
        return not text or text.isprintable()  # an empty one is told by itself
    *modifiers, name = text.split("+")
    return _MODIFIERS.issuperset(modifiers) and _is_name(name)


def _is_name(name: str) -> bool:
    if name in _NAMES or (len(name) == 1 and name in string.ascii_letters + string.digits):
        return True
    for words in (name.replace("_", " "), name.replace("_", "-", 1).replace("_", " ")):
        try:
            return bool(name) and name.islower() and bool(unicodedata.lookup(words))
        except KeyError:
            continue
    return False


def _clashes(keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Command, key, and what has that key already on one of the command's screens."""
    for name, wanted in keys.items():
        command = BY_ID[name]
        for other, others in _neighbours(command, keys):
            # What it comes with may be a part's, too: y copies, here a screen and there a line.
            for key in keys_of(wanted) & others - keys_of(command.keys):
                yield name, key, other


def _neighbours(command: Command, keys: Mapping[str, str]) -> Iterator[tuple[str, set[str]]]:
    for other in COMMANDS:
        apart = {command.of, other.of} == {"live", "replay"}
        if other is not command and not apart and set(command.places) & set(other.places):
            yield other.id, keys_of(keys.get(other.id, other.keys))
    yield from part_keys(command.places)
    yield from ((what, {key}) for key, what in _RESERVED.items())
