"""The list of mutants that no test can kill, because they do the same as the code."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Keyed(Protocol):
    """What a mutant is recognised by; no line number, so that edits elsewhere do no harm."""

    @property
    def file(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Equivalent:
    """One entry of the list."""

    file: str
    function: str
    before: str
    after: str
    reason: str
    #: How many mutants of the function look like this one.
    times: int = 1


class BadList(Exception):
    """The list cannot be used; says why, entry by entry."""


def read(path: Path) -> list[Equivalent]:
    """The entries of the file. Raises BadList where one is incomplete or gives no reason."""
    tables = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    entries = []
    for number, table in enumerate(tables, 1):
        try:
            entry = Equivalent(**table)
        except TypeError as error:
            raise BadList(f"{path.name}: entry {number}: {error}") from error
        if not entry.reason.strip().endswith("."):
            raise BadList(f"{path.name}: entry {number}: the reason must be a sentence")
        entries.append(entry)
    return entries


def key(of: Keyed) -> tuple[str, str, str, str]:
    return (of.file, of.function, of.before, of.after)


def match(entries: Iterable[Equivalent], mutants: Sequence[Keyed]) -> set[int]:
    """Positions of the mutants that the entries name.

    Raises BadList for entries that match no mutant, or another number of them than they say.
    """
    count = Counter(key(mutant) for mutant in mutants)
    wrong = []
    keys = set()
    for entry in entries:
        found = count[key(entry)]
        if found != entry.times:
            wrong.append(
                f"{entry.file}: {entry.function}: {entry.before!r} -> {entry.after!r}"
                f" matches {found} mutants, not {entry.times}"
            )
        keys.add(key(entry))
    if wrong:
        raise BadList("\n".join(wrong))
    return {position for position, mutant in enumerate(mutants) if key(mutant) in keys}
