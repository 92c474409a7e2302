"""How the checks of this plugin put their findings."""

from __future__ import annotations

from dataclasses import dataclass

from octotui.api import Finding
from octotui.api.facts import Facts


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes the findings of one check. ``link`` is the page that explains what it demands."""

    check: str
    link: str

    def passed(self, evidence: str, node: str | None = None) -> Finding:
        return Finding(self.check, "pass", evidence, node, link=self.link)

    def warns(self, evidence: str, fix: str, node: str | None = None) -> Finding:
        return Finding(self.check, "warn", evidence, node, fix, self.link)

    def failed(self, evidence: str, fix: str, node: str | None = None) -> Finding:
        return Finding(self.check, "fail", evidence, node, fix, self.link)

    def skipped(self, reason: str, node: str | None = None) -> Finding:
        """Nothing could be judged, and the check that knows why has failed."""
        return Finding(self.check, "skip", reason, node, link=self.link)


def reason(facts: Facts, subject: str) -> str:
    """Why ``subject`` (cluster, database, target, installed) is not among the facts."""
    return (facts.problems.get(subject) or "no reason was given").rstrip(". ")


def listed(names: list[str]) -> str:
    """Names for a sentence: ``A``, ``A and B``, ``A, B and C``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
