"""What a journal tells as a whole, also where parts of it are lost."""

from __future__ import annotations

from typing import Any

from octotui.api.events import Event
from octotui.report.markdown import render
from octotui.view import RunView


class Story:
    """Takes events one by one. ``faults``: what could not be told, as sentences."""

    def __init__(self) -> None:
        self.view = RunView()
        self.faults: list[str] = []
        self._cluster: dict[str, Any] | None = None
        self._nodes: dict[str, Any] = {}
        self._problems: list[dict[str, Any]] = []

    def take(self, event: Event) -> None:
        """Takes the next event into account."""
        try:
            self.view.apply(event)
        # What an event refers to may be lost with the part of the journal that is damaged.
        except (KeyError, TypeError, ValueError, AttributeError):
            self.faults.append(f"event {event.seq} refers to something that is lost")
        read = {"read": event.at, **event.data}
        if event.kind == "facts.cluster":
            self._cluster = read
        elif event.kind == "facts.node":
            self._nodes[str(event.data.get("node"))] = read
        elif event.kind == "facts.problem":
            self._problems.append(read)

    def facts(self) -> dict[str, Any]:
        """The facts as they were last read, each with when; ``problems``: what could not be."""
        return {"cluster": self._cluster, "nodes": self._nodes, "problems": self._problems}

    def headline(self) -> str:
        """Which run that is and where it stands."""
        view = self.view
        if not view.run:
            return "Nothing could be read of the run's journal."
        versions = f"{view.from_version or 'unknown'} to {view.to_version or 'no version chosen'}"
        state = (view.outcome or view.state).replace("_", " ")
        return f"Run {view.run} of {view.cluster or 'unknown'}, {versions}: {state}."

    def report(self) -> str:
        """The report as it is now."""
        try:
            return render(self.view)
        except (KeyError, TypeError, ValueError, AttributeError):
            self.faults.append("a report cannot be made of what is left")
            return f"{self.headline()}\n"
