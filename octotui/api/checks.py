"""What a check is: a named pure validation of facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from octotui.api.facts import Facts

Result: TypeAlias = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's result, for the cluster (``node`` None) or one node.

    ``evidence`` is the sentence that says what was seen, ``fix`` what to do about it (empty for a
    pass), ``link`` a page to read or empty.
    """

    check: str
    result: Result
    evidence: str
    node: str | None = None
    fix: str = ""
    link: str = ""


class Check(Protocol):
    """What a plugin returns from ``octotui_checks``. Pure: no I/O, same facts, same findings."""

    #: Lower-case words with dashes, stable: people waive checks by it.
    name: str
    #: One line that says what it makes sure of.
    title: str
    #: A mandatory check that fails refuses the upgrade and cannot be waived.
    mandatory: bool

    def run(self, facts: Facts) -> Iterable[Finding]:
        """At least one finding; an exception counts as a failed finding that names the plugin."""
        ...
