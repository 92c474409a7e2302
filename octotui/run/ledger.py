"""What a run knows about its steps: a fold over its events, the same live and after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from octotui.api.events import Event
from octotui.upgrade.plan import Plan

#: Steps by whose failure another one's work is worthless.
_WORTHLESS = {
    "installing.backup": "installing.backup-begin",
    "staging.prove": "staging.stage",
}


@dataclass(slots=True)
class Ledger:
    """``results``: what steps that ended well left. ``failures``: the error of steps whose last

    attempt failed. ``open``: begun and not ended. ``attempts`` counts from 1. ``hold``: as people
    left it, None where nobody commanded anything; ``begun_with``: as the newest process began.
    """

    state: str = "preflight"
    waiting_phase: str = ""
    plan: Plan | None = None
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)
    hold: frozenset[str] | None = None
    begun_with: frozenset[str] = frozenset()
    vetoes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    begun_at: float | None = None
    changed: bool = False
    ended: Mapping[str, Any] | None = None

    @property
    def begun(self) -> frozenset[str]:
        return frozenset(self.attempts)

    @property
    def failed_nodes(self) -> set[str | None]:
        """The nodes whose steps failed; None for the cluster's own."""
        return {step.partition("@")[2] or None for step in self.failures}

    @property
    def database_upgrade_begun(self) -> bool:
        return any(step.startswith("migrating.database@") for step in self.attempts)

    @property
    def database_upgraded(self) -> bool:
        """Whether the database upgrade ended well, whatever was found out afterwards."""
        return self._database_note == "ended-well" or any(
            step.startswith("migrating.database@") for step in self.results
        )

    @property
    def database_unknown(self) -> bool:
        """Whether a database upgrade was begun of which nobody knows how it ended."""
        return self._database_note == "begun"

    @property
    def _database_note(self) -> str:
        notes = (n for step, n in self.notes.items() if step.startswith("migrating.database@"))
        return next(notes, "")

    @property
    def installer_begun(self) -> bool:
        """Whether new binaries may be on any node."""
        return any(".install@" in step for step in self.attempts)

    def forget_what_may_have_changed(self) -> None:
        """Drops results that only said what was true then, before a phase is entered again.

        The schema is verified each time a rollback begins; maintenance mode, drain flags and tasks
        each time nodes are about to be stopped.
        """
        for step in ("rolling_back.schema", "stopping.ready"):
            self.results.pop(step, None)

    def _takes_back(self, step: str) -> None:
        """A failure that shows an earlier step's work to be worthless has it done again."""
        name, at, node = step.partition("@")
        if name in _WORTHLESS:
            self.results.pop(_WORTHLESS[name] + at + node, None)

    def apply(self, event: Event) -> None:
        """Takes one event into account. Unknown kinds mean nothing here."""
        data = event.data
        match event.kind:
            case "run.started":
                self.begun_at = event.at
                self.begun_with = frozenset(data["hold"])
            case "run.resumed":
                self.begun_with = frozenset(data.get("hold", self.begun_with))
            case "command":
                self.hold = frozenset(data["hold"])
            case "plan":
                self.plan = Plan.from_json(data)
            case "state":
                self.state = data["to"]
                self.waiting_phase = data["waiting_phase"]
                self.changed = self.changed or data["changed"]
                self.ended = None
            case "step.started":
                self.attempts[data["step"]] = data["attempt"]
                self.open.add(data["step"])
                self.failures.pop(data["step"], None)
                self.vetoes.pop(data["phase"], None)
            case "step.noted":
                self.notes[data["step"]] = data["note"]
            case "step.ended":
                self.open.discard(data["step"])
                if data["outcome"] in ("done", "already"):
                    self.results[data["step"]] = data["result"]
                else:
                    self.failures[data["step"]] = data["error"]
                    self._takes_back(data["step"])
            case "phase.vetoed":
                self.vetoes[data["phase"]] = tuple(data["reasons"])
            case "node.left-out":
                self.left_out.add(data["node"])
            case "run.ended":
                self.ended = data
