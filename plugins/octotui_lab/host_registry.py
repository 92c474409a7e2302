"""The registry of a simulated host, as far as an agent reads it."""

from __future__ import annotations

from typing import Any

from octotui_lab.model.state import Node

_OCTOPUS = "HKLM\\SOFTWARE\\Octopus\\OctopusServer"
_UNINSTALL = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall"
_SESSION_MANAGER = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
_COMPONENT_BASED_SERVICING = (
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
)


def keys(node: Node, install_directory: str) -> dict[str, dict[str, Any]]:
    """Keys with their values: what is installed, and what waits for a restart."""
    found: dict[str, dict[str, Any]] = {_SESSION_MANAGER: {}, _UNINSTALL: {}, _OCTOPUS: {}}
    if node.version:
        found[_OCTOPUS] = {"InstallLocation": f"{install_directory}/"}
        found[f"{_UNINSTALL}\\{node.product_code}"] = {
            "DisplayName": "Octopus Deploy Server",
            "DisplayVersion": node.version,
            "Publisher": "Octopus Deploy Pty. Ltd.",
            "InstallLocation": "",
        }
    if "Component Based Servicing" in node.pending_reboot:
        found[_COMPONENT_BASED_SERVICING] = {}
    if "PendingFileRenameOperations" in node.pending_reboot:
        found[_SESSION_MANAGER]["PendingFileRenameOperations"] = [
            f"\\??\\{install_directory}/Octopus.Core.dll.old",
            "",
        ]
    return found
