"""Checks that refused a run, and which of them a person may waive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octotui.view import RunView


@dataclass(frozen=True, slots=True)
class Refusal:
    """A check that refused, with everything it found against the run."""

    check: str
    mandatory: bool
    findings: tuple[Mapping[str, Any], ...]


def refusals(view: RunView) -> list[Refusal]:
    """What refused, once each check: first what nothing but putting it right leads past."""
    found: dict[tuple[bool, str], list[Mapping[str, Any]]] = {}
    for finding in view.findings:
        if finding["result"] == "fail" and not finding["waived"]:
            found.setdefault((finding["mandatory"], finding["check"]), []).append(finding)
    refused = [Refusal(check, mandatory, tuple(of)) for (mandatory, check), of in found.items()]
    return sorted(refused, key=lambda refusal: not refusal.mandatory)


def waivable(view: RunView) -> list[str]:
    """The names of the checks that refused and may be waived."""
    return [refusal.check for refusal in refusals(view) if not refusal.mandatory]
