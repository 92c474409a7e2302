"""Running checks over facts, and what their findings mean for a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from octotui.api.checks import Check, Finding
from octotui.api.facts import Facts


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, whether its check is mandatory, and whether a person waived it."""

    finding: Finding
    mandatory: bool
    waived: bool

    @property
    def refuses(self) -> bool:
        """Whether this finding alone keeps an upgrade from starting."""
        return self.finding.result == "fail" and not self.waived

    def as_text(self) -> str:
        """Check, node, what was seen, and what to do about it."""
        finding = self.finding
        named = not finding.node or finding.evidence.startswith(finding.node)
        where = "" if named else f"{finding.node}: "
        return f"{finding.check}: {where}{finding.evidence.rstrip('.')}. {finding.fix}".rstrip()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.finding), "mandatory": self.mandatory, "waived": self.waived}


def how_to_waive(judged: Iterable[Judged]) -> list[str]:
    """How to go on without checks that refuse and may be waived; nothing where none may.

    A check whose own advice names the option is left out: it would be told twice.
    """
    options = {
        f"--waive {one.finding.check}": None
        for one in judged
        if one.refuses and not one.mandatory
        if f"--waive {one.finding.check}" not in one.finding.fix
    }
    if not options:
        return []
    return [f"To go on without what may be waived: the same command with {' '.join(options)}."]


def run_checks(
    facts: Facts, checks: Iterable[tuple[Check, str]], waived: Collection[str] = ()
) -> list[Judged]:
    """Every check's findings. ``checks`` are pairs of a check and the plugin it came from.

    A check that raises, or finds nothing at all, has failed: silence proves nothing. Mandatory
    checks cannot be waived.
    """
    judged = []
    for check, plugin in checks:
        try:
            findings = list(check.run(facts))
        except Exception as error:  # a plugin's fault must not take the run down
            text = f"the check itself failed (plugin {plugin}): {type(error).__name__}: {error}"
            findings = [Finding(check.name, "fail", text, fix="Update or remove that plugin")]
        if not findings:
            text = f"the check came to no finding (plugin {plugin})"
            findings = [Finding(check.name, "fail", text, fix="Update or remove that plugin")]
        may_waive = not check.mandatory and check.name in waived
        judged += [Judged(finding, check.mandatory, may_waive) for finding in findings]
    return judged
