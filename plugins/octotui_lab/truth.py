"""The ground truth: every change that the lab was told to make, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class GroundTruth:
    """What happened, in the order in which it happened. Times in epoch seconds."""

    actions: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def act(self, at: float, node: str | None, action: str, **detail: Any) -> None:
        """Notes a change. ``detail`` holds JSON values."""
        self.actions.append({"at": at, "node": node, "action": action, "detail": detail})

    def violate(self, rule: str, at: float, detail: str) -> None:
        """Notes that a safety rule was broken."""
        self.violations.append({"rule": rule, "at": at, "detail": detail})
