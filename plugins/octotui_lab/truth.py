"""The ground truth: every change that the lab was told to make, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from octotui_lab.model.state import Cluster


class Action(TypedDict):
    """A change that the lab was told to make. One that took time has ``detail["seconds"]``."""

    at: float
    node: str | None
    action: str
    detail: dict[str, Any]


def took(action: Action, seconds: float) -> None:
    """Notes how long an action took, in seconds of the clock; its parts add up."""
    action["detail"]["seconds"] = action["detail"].get("seconds", 0.0) + seconds


@dataclass(slots=True)
class GroundTruth:
    """What happened, in the order in which it happened. Times in epoch seconds."""

    actions: list[Action] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def act(self, at: float, node: str | None, action: str, **detail: Any) -> Action:
        """Notes a change at its beginning. ``detail`` holds JSON values."""
        noted = Action(at=at, node=node, action=action, detail=detail)
        self.actions.append(noted)
        return noted

    def violate(self, rule: str, at: float, detail: str) -> None:
        """Notes that a safety rule was broken."""
        self.violations.append({"rule": rule, "at": at, "detail": detail})


def whole_truth(cluster: Cluster) -> dict[str, Any]:
    """The state of things and everything that happened, in design 8's shape."""
    database = cluster.database
    watchdog = {True: "enabled", False: "disabled", None: "absent"}
    return {
        "cluster": {
            "maintenance": database.maintenance,
            "initial_maintenance": cluster.initial_maintenance,
        },
        "database": {
            "version": database.schema_version,
            "upgrades": database.upgrades,
            "backups": [
                {
                    "file": backup.file,
                    "node": backup.node,
                    "started": backup.started,
                    "finished": backup.finished,
                    "verified": backup.verified,
                }
                for backup in database.backups
            ],
        },
        "nodes": {
            node.name: {
                "version": node.version,
                "service": "stopped" if node.service.state == "stopped" else "running",
                "serving": node.service.serving,
                "installs": node.installs,
                "draining": database.rows[node.name].draining,
                "watchdog": watchdog[node.watchdog_enabled],
                "start_type": node.service.start_type,
            }
            for node in cluster.nodes.values()
        },
        "violations": list(cluster.truth.violations),
        "actions": list(cluster.truth.actions),
    }
