"""Runs written by hand, an event after the other, for tests of what a view makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from octotui.api.events import Event
from octotui.view import RunView, fold


class Story:
    """Events of a run, one after the other, a second apart unless told otherwise."""

    def __init__(self, nodes: Sequence[str] = ("N1", "N2")) -> None:
        self.events: list[Event] = []
        self.at = 1000.0
        self.tell("run.started", cluster="http://octopus", pid=7, nodes=list(nodes))
        steps = [
            {"id": "staging.download", "phase": "staging", "title": "download", "node": None,
             "seconds": 90.0},
            {"id": "stopping.stop@N1", "phase": "stopping", "title": "stop", "node": "N1",
             "seconds": 20.0},
        ]  # fmt: skip
        self.tell("plan", from_version="1.0.0", to_version="2.0.0", steps=steps, estimate={})

    def tell(self, kind: str, /, after: float = 1.0, **data: Any) -> Story:
        self.at += after
        subject = f"step:{data['step']}" if "step" in data else "run"
        self.events.append(Event(len(self.events) + 1, self.at, "r1", subject, kind, data))
        return self

    def begin(self, step: str, attempt: int = 1, after: float = 1.0) -> Story:
        node = step.partition("@")[2] or None
        phase = step.partition(".")[0]
        return self.tell(
            "step.started", after, step=step, node=node, phase=phase, title=step, attempt=attempt,
            expected_seconds=10.0,
        )  # fmt: skip

    def end(self, step: str, outcome: str = "done", after: float = 1.0) -> Story:
        node = step.partition("@")[2] or None
        came_of_it: dict[str, Any] = (
            {"result": {}} if outcome in ("done", "already") else {"error": {"what": "1603"}}
        )
        return self.tell(
            "step.ended", after, step=step, node=node, phase=step.partition(".")[0], title=step,
            attempt=1, seconds=after, outcome=outcome, **came_of_it,
        )  # fmt: skip

    def read(self, node: str, state: str = "running", version: str = "1.0.0") -> Story:
        """What a node said of itself: whether its service runs, and its version."""
        services = {"services": [{"name": "OctopusDeploy", "state": state}], "processes": []}
        return self.tell("facts.node", node=node, version=version, services=services)

    def enter(self, state: str, waiting_phase: str = "", changed: bool = True) -> Story:
        return self.tell("state", to=state, waiting_phase=waiting_phase, changed=changed)

    def resume(self, after: float = 1.0, **data: Any) -> Story:
        """Another process takes it up."""
        return self.tell("run.resumed", after, **{"pid": 8, "state": "", **data})

    def do(self, step: str, after: float = 1.0) -> Story:
        return self.begin(step).end(step, after=after)

    @property
    def view(self) -> RunView:
        return fold(self.events)
