"""A simulated node's own folder and environment, as its PowerShell sees them."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

_IMPORTED_FROM = Path(__file__).parents[2]


def windows_program() -> bytes:
    """The content of an executable that does in the lab's world what its own name says."""
    python = f"{shlex.quote(sys.executable)} -sS -m octotui_lab.powershell.windows_program"
    path = shlex.quote(str(_IMPORTED_FROM))
    return f'#!/bin/sh\nPYTHONPATH={path} exec {python} "$0" "$@"\n'.encode()


def prepare_node(node_root: Path, control_url: str, node_name: str) -> dict[str, str]:
    """Lays down what only PowerShell needs below ``node_root``; the environment of its engine."""
    system = node_root / "Windows" / "System32"
    temporary = node_root / "Temp"
    for folder in (system, temporary, node_root / ".exit-codes", node_root / "ProgramData"):
        folder.mkdir(parents=True, exist_ok=True)
    installer = system / "msiexec.exe"
    installer.write_bytes(windows_program())
    installer.chmod(installer.stat().st_mode | stat.S_IXUSR)
    return {
        **_inherited(os.environ),
        "PATH": os.pathsep.join((str(system), os.environ.get("PATH", os.defpath))),
        "COMPUTERNAME": node_name,
        "ProgramData": str(node_root / "ProgramData"),
        "ProgramFiles": str(node_root / "Program Files"),
        "SystemRoot": str(node_root / "Windows"),
        "windir": str(node_root / "Windows"),
        "TEMP": str(temporary),
        "TMP": str(temporary),
        "TMPDIR": str(temporary),
        "PWSH_REGISTRY_JSON": str(registry_file(node_root)),
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
        "NO_COLOR": "1",
        "OCTOTUI_LAB_CONTROL": control_url,
        "OCTOTUI_LAB_NODE": node_name,
        "OCTOTUI_LAB_ROOT": str(node_root),
    }


def registry_file(node_root: Path) -> Path:
    """The JSON file behind the node's ``HKLM:`` drive."""
    return node_root / "registry.json"


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the lab's own environment, what a program needs to run at all."""
    wanted = ("HOME", "LANG", "USER", "DOTNET_ROOT", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
    return {name: environment[name] for name in wanted if name in environment}
