"""What the tests that need a PowerShell share: finding one, and commands without WinRM."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web


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


class ScriptedWorld:
    """Answers the primitive calls of a node from a table, and keeps what was asked.

    An answer is a dict, a list of dicts for calls in sequence, or a sentence to refuse with.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"registry": {"keys": {}}, "note-staged": {}} | {
            name.replace("_", "-"): answer for name, answer in answers.items()
        }
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    def of(self, call: str) -> list[dict[str, Any]]:
        """The arguments of every such call so far."""
        return [arguments for name, arguments in self.asked if name == call]

    async def _answer(self, request: web.Request) -> web.Response:
        call = request.match_info["call"]
        self.asked.append((call, await request.json()))
        answer = self.answers.get(call, f"no call {call}")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, str):
            return web.Response(status=400, text=answer)
        return web.json_response(answer)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[ScriptedWorld]:
        application = web.Application()
        application.router.add_post("/windows/{node}/{call}", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()
