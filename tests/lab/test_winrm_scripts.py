"""The two scripts of the WinRM transport, run by a real PowerShell through the lab's server."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest

from octotui.api.errors import FileMissing, TransportError
from octotui_lab.remote import RemoteCommand
from octotui_winrm.transport import WinrmTransport
from tests.lab.winrm_node import Authority, ScriptedNode, opened

pytestmark = pytest.mark.powershell

SCRIPTS = ["receive.ps1", "send.ps1"]


@pytest.fixture
def pwsh() -> str:
    program = os.environ.get("OCTOTUI_PWSH") or shutil.which("pwsh")
    if not program:
        pytest.skip("no PowerShell: neither OCTOTUI_PWSH nor pwsh on PATH")
    return program


@pytest.fixture
async def transport(pwsh: str, tmp_path: Path) -> AsyncIterator[WinrmTransport]:
    async def run(command: RemoteCommand, arguments: list[str]) -> int:
        process = await asyncio.create_subprocess_exec(
            pwsh,
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate(await command.read_stdin())
        command.write_stdout(out)
        command.write_stderr(err)
        assert process.returncode is not None
        return process.returncode

    authority = Authority(tmp_path)
    node = ScriptedNode(*authority.issue("127.0.0.1"))
    node.programs["powershell.exe"] = run
    await node.start()
    async with opened(node.port, auth="basic", ca=str(authority.file)) as transport:
        yield transport
    await node.stop()


async def test_files_make_the_round_trip(transport: WinrmTransport, tmp_path: Path) -> None:
    path = tmp_path / "größe und so.bin"
    for data in (bytes(range(256)) * 300, b"shorter", b""):
        await transport.upload(data, str(path))
        assert path.read_bytes() == data
        assert await transport.download(str(path)) == data
    assert not path.with_name(path.name + ".part").exists()


async def test_replacing_leaves_nothing_else_behind(
    transport: WinrmTransport, tmp_path: Path
) -> None:
    path = tmp_path / "agent.ps1"
    await transport.upload(b"old", str(path))
    await transport.upload(b"new", str(path))
    assert path.read_bytes() == b"new"
    assert sorted(each.name for each in tmp_path.glob("agent*")) == ["agent.ps1"]


async def test_what_is_missing(transport: WinrmTransport, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"nowhere\.txt"):
        await transport.download(str(tmp_path / "nowhere.txt"))
    with pytest.raises(TransportError, match="Could not find a part of the path"):
        await transport.upload(b"data", str(tmp_path / "nowhere" / "file.txt"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_keep_to_windows_powershell(pwsh: str, name: str) -> None:
    script = resources.files("octotui_winrm").joinpath(name)
    check = subprocess.run([pwsh, "--check", str(script)], capture_output=True, text=True)
    if "finding" not in check.stdout and "found" not in check.stdout:
        pytest.skip("this PowerShell has no --check")
    assert check.returncode == 0, check.stdout
