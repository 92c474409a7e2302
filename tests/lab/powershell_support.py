"""What the tests that need a PowerShell share: finding one, and commands without WinRM."""

from __future__ import annotations

import base64
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def find_powershell() -> Path:
    """The PowerShell of OCTOTUI_PWSH, else of PATH; skips the test where there is none."""
    named = os.environ.get("OCTOTUI_PWSH")
    found = named or shutil.which("pwsh")
    if not found:
        pytest.skip("no PowerShell: OCTOTUI_PWSH is not set and pwsh is not on PATH")
    if not Path(found).is_file():
        pytest.fail(f"OCTOTUI_PWSH names {named}, which is not a file")
    return Path(found)


@dataclass
class Command:
    """A RemoteCommand that keeps what was written."""

    command_line: str
    stdin: bytes = b""
    user: str = "LAB\\administrator"
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    async def read_stdin(self) -> bytes:
        return self.stdin

    def write_stdout(self, data: bytes) -> None:
        self.stdout += data

    def write_stderr(self, data: bytes) -> None:
        self.stderr += data

    @property
    def lines(self) -> list[str]:
        return self.stdout.decode().splitlines()


def encoded(script: str, stdin: bytes = b"") -> Command:
    """The script as ``-EncodedCommand``."""
    text = base64.b64encode(script.encode("utf-16-le")).decode()
    return Command(f"powershell.exe -NoProfile -NonInteractive -EncodedCommand {text}", stdin)
