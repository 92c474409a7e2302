"""Parking a host: nothing may start its Octopus services until it is unparked."""

from __future__ import annotations

import json
from typing import Any

from octotui_lab import agent_facts
from octotui_lab.agent_errors import AgentError
from octotui_lab.hosts import WindowsHost

Parked = dict[str, Any]


def parked(host: WindowsHost) -> Parked | None:
    """What was found before the host was parked; None on one that is not."""
    file = host.octotui_directory / "parked.json"
    if not file.exists():
        return None
    found: Parked = json.loads(file.read_text(encoding="utf-8"))
    return found


def park(host: WindowsHost) -> Parked:
    """Writes down what is found, then disables services and watchdog, and sees that they are."""
    found = parked(host)
    if found is None:
        found = {
            "services": [
                {key: service[key] for key in ("name", "instance", "state", "start_type")}
                for service in agent_facts.services(host)["services"]
            ],
            "watchdog": agent_facts.watchdog(host),
        }
        file = host.octotui_directory / "parked.json"
        part = file.with_suffix(".part")
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(file)
    for task in agent_facts.watchdog(host):
        host.set_task_enabled(task["name"], False)
    for service in host.services():
        host.set_start_type(service["name"], "disabled")
    left = [s["name"] for s in host.services() if s["start_type"] != "disabled"]
    left += [task["name"] for task in agent_facts.watchdog(host) if task["enabled"]]
    if left:
        raise AgentError(
            "failed", f"not everything that starts Octopus could be disabled: {', '.join(left)}"
        )
    return found


def unpark(host: WindowsHost) -> Parked:
    """Puts back what was found and, once all of it is back, forgets it."""
    found = parked(host)
    if found is None:
        return {"services": [], "watchdog": []}
    for service in found["services"]:
        host.set_start_type(service["name"], service["start_type"])
    for task in found["watchdog"]:
        host.set_task_enabled(task["name"], task["enabled"])
    types = {service["name"]: service["start_type"] for service in host.services()}
    enabled = {task["name"] for task in agent_facts.watchdog(host) if task["enabled"]}
    left = [s["name"] for s in found["services"] if types[s["name"]] != s["start_type"]]
    left += [t["name"] for t in found["watchdog"] if t["enabled"] and t["name"] not in enabled]
    if left:
        raise AgentError(
            "failed", f"not everything that starts Octopus could be restored: {', '.join(left)}"
        )
    (host.octotui_directory / "parked.json").unlink()
    return found
