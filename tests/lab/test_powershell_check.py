"""No script uses what Windows PowerShell 5.1 lacks; the lab's own may where only it runs them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import octotui.windows
import octotui_lab.powershell
import octotui_winrm
from tests.lab.powershell_support import find_powershell

pytestmark = pytest.mark.powershell

_HELPERS = re.compile(r"^function (\S+?)[({ ]", re.MULTILINE)


def _findings(files: list[Path]) -> list[dict[str, str]]:
    command = [find_powershell(), "--check", "--json", *files]
    checked = subprocess.run(command, capture_output=True, text=True)
    if checked.returncode == 64:
        pytest.skip("this PowerShell has no checker for what Windows PowerShell 5.1 knows")
    return [json.loads(line) for line in checked.stdout.splitlines() if line.startswith("{")]


def test_what_runs_on_windows_keeps_to_its_powershell() -> None:
    folders = [Path(package.__file__ or "").parent for package in (octotui.windows, octotui_winrm)]
    files = [file for folder in folders for file in sorted(folder.glob("*.ps*1"))]
    assert {"agent.ps1", "prepare.ps1"} <= {file.name for file in files}
    assert _findings(files) == []


def test_the_shim_lacks_nothing_but_what_it_knows_of() -> None:
    folder = Path(octotui_lab.powershell.__file__ or "").parent
    files = [*folder.glob("*.ps1"), *folder.glob("shim/*.psm1")]
    functions = {name for file in files for name in _HELPERS.findall(file.read_text("ascii"))}
    surprising = [
        finding
        for finding in _findings(files)
        # One module calls the functions of another: the checker sees one file at a time.
        if not (finding["rule"] == "command" and finding["message"].split("'")[1] in functions)
        # The host runs on PowerShell 7 alone.
        and "[System.Net.Sockets.UnixDomainSocketEndPoint]" not in finding["message"]
        and "System.Net.Http" not in finding["message"]
    ]
    assert surprising == []
