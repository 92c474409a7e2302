"""A run that was refused says how to go on without what may be waived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from octotui.api.checks import Finding
from octotui.api.facts import Facts
from octotui.run.findings import how_to_waive, run_checks


@dataclass
class Finds:
    """A check that finds this."""

    name: str
    findings: Sequence[Finding]
    mandatory: bool = False
    title: str = "something"

    def run(self, facts: Facts) -> Iterable[Finding]:
        return self.findings


def refuses(name: str, fix: str = "", *, mandatory: bool = False) -> Finds:
    found = [Finding(name, "fail", "it is so", node, fix) for node in ("N1", "N2")]
    return Finds(name, found, mandatory)


def told(*checks: Finds, waived: Sequence[str] = ()) -> list[str]:
    judged = run_checks(cast(Facts, None), [(check, "acme") for check in checks], waived)
    return how_to_waive(judged)


def test_each_is_named_once() -> None:
    assert told(refuses("age"), refuses("quota"), refuses("disk", mandatory=True)) == [
        "To go on without what may be waived: the same command with --waive age --waive quota."
    ]


def test_nothing_is_said_where_nothing_may_be_waived_or_needs_to_be() -> None:
    warns = Finds("quota", [Finding("quota", "warn", "nearly full")])
    assert told(refuses("disk", mandatory=True), warns) == []
    assert told(refuses("age"), waived=["age"]) == []


def test_what_a_check_says_itself_is_not_said_twice() -> None:
    assert told(refuses("age", "Wait, or do without: --waive age")) == []
