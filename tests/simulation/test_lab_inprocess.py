"""The in-process transport and the shell behind it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    FileMissing,
    TimedOut,
    Unreachable,
)
from octotui_lab.clock import VirtualClock
from octotui_lab.inprocess import InProcessTransport, Moment
from octotui_lab.world import World
from tests.lab_estate import hosts, read_answer, world


class Estate:
    def __init__(self, root: Path, *faults: str) -> None:
        self.clock = VirtualClock()
        self.world: World = world(self.clock, 2, *faults, root=str(root))
        self.hosts = hosts(self.world)
        self.transport = InProcessTransport(self.hosts["OCTO1"])

    async def script(self, text: str, stdin: bytes = b"") -> tuple[int, str]:
        encoded = base64.b64encode(text.encode("utf-16-le")).decode()
        command = ["powershell.exe", "-NoProfile", "-EncodedCommand", encoded]
        done = await self.transport.run(command, stdin=stdin, timeout=60)
        return done.exit_code, done.stdout.decode()


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def lines(*data: bytes) -> bytes:
    return b"\r\n".join(base64.b64encode(part) for part in data)


async def test_prepare_upload_and_a_call_of_the_agent(estate: Estate) -> None:
    _, printed = await estate.script("# octotui prepare\n...")
    prepared = read_answer(printed)["result"]
    request = base64.b64encode(json.dumps({"run": "", "parameters": {}}).encode())
    call = [
        "powershell.exe",
        "-ExecutionPolicy",
        "Bypass",
        "-File",
        prepared["agent_path"],
        "facts",
    ]
    missing = await estate.transport.run(call, stdin=request, timeout=60)
    assert missing.exit_code == 0xFFFD0000
    await estate.transport.upload(b"# the agent", prepared["agent_path"])
    told = await estate.transport.run(call, stdin=request, timeout=60)
    assert told.exit_code == 0
    facts = read_answer(told.stdout.decode())["result"]
    assert facts["computer"] == "OCTO1"
    assert facts["identity"] == "OCTOLAB\\admin"


async def test_files_come_and_go_as_the_winrm_transport_sends_them(
    estate: Estate, tmp_path: Path
) -> None:
    path, data = tmp_path / "a file.bin", bytes(range(256)) * 300
    name = str(path).encode()
    pieces = b"\r\n".join(
        (lines(name), base64.b64encode(data)[:1000], base64.b64encode(data)[1000:])
    )
    assert await estate.script("# octotui-winrm receive\n...", pieces) == (0, "")
    assert path.read_bytes() == data
    exit_code, printed = await estate.script("# octotui-winrm send\n...", lines(name))
    assert exit_code == 0
    assert base64.b64decode("".join(printed.split())) == data
    assert (await estate.script("# octotui-winrm send", lines(b"/no/such/file")))[0] == 2
    assert (await estate.script("# octotui-winrm receive", lines(b"/no/such/folder/x", b"")))[
        0
    ] == 1
    assert (await estate.script("# octotui-winrm send", b"???"))[0] == 1


@pytest.mark.parametrize(
    ("command", "exit_code", "says"),
    [
        (["whoami"], 0, "octolab\\admin"),
        (["cmd", "/c", "hostname"], 0, "OCTO1"),
        (["echo", "one", "two"], 0, "one two"),
        (["exit", "3"], 3, ""),
        (["format", "c:"], 9009, "not recognized"),
        (["powershell.exe", "-Nonsense", "1"], 0xFFFD0000, "unknown"),
        (["powershell.exe", "-Command", "Get-Date"], 1, "no scripts"),
        (["powershell.exe", "-File", __file__], 0xFFFD0000, "but the agent"),
    ],
)
async def test_other_commands(
    estate: Estate, command: list[str], exit_code: int, says: str
) -> None:
    done = await estate.transport.run(command, timeout=10)
    assert done.exit_code == exit_code
    assert says in (done.stdout + done.stderr).decode()


async def test_output_is_handed_on(estate: Estate) -> None:
    seen: list[tuple[str, bytes]] = []
    await estate.transport.run(
        ["hostname"], timeout=1, output=lambda stream, data: seen.append((stream, data))
    )
    assert seen == [("stdout", b"OCTO1\r\n")]


async def test_faults_of_the_connection(tmp_path: Path) -> None:
    estate = Estate(tmp_path, "node1:unreachable,times=1", "node1:wrong-credentials,times=1")
    with pytest.raises(Unreachable, match="OCTO1"):
        await estate.transport.run(["hostname"], timeout=1)
    with pytest.raises(CredentialsRefused, match="OCTO1"):
        await estate.transport.download("/x")
    with pytest.raises(FileMissing, match="/x"):
        await estate.transport.download("/x")
    await estate.transport.close()


async def test_a_time_limit_goes_by_the_lab_clock(estate: Estate) -> None:
    await estate.script("# octotui prepare")
    agent = str(estate.hosts["OCTO1"].octotui_directory / "agent.ps1")
    await estate.transport.upload(b"", agent)

    async def call(operation: str, timeout: float, **parameters: object) -> None:
        request = base64.b64encode(json.dumps({"parameters": parameters}).encode())
        command = ["powershell.exe", "-File", agent, operation]
        await estate.transport.run(command, stdin=request, timeout=timeout)

    job = {"id": "x", "kind": "stop", "parameters": {"timeout": 60}}
    await call("job-start", 5, **job, run_as={"kind": "system"})
    begun = estate.clock.now()
    with pytest.raises(TimedOut, match="2 s"):
        await call("job-status", 2, id="x", offset=100000, wait=30)
    assert estate.clock.now() - begun == pytest.approx(2, abs=0.5)


async def test_a_hook_fails_calls_before_and_after_their_effect(
    estate: Estate, tmp_path: Path
) -> None:
    fail: Moment = "before"

    def hook(moment: Moment, what: str) -> None:
        if moment == fail:
            raise ConnectionLost(f"lost {moment} {what}", node="OCTO1")

    transport = InProcessTransport(estate.hosts["OCTO1"], hook=hook)
    file = tmp_path / "x"
    with pytest.raises(ConnectionLost):
        await transport.upload(b"data", str(file))
    assert not file.exists()
    fail = "after"
    with pytest.raises(ConnectionLost):
        await transport.upload(b"data", str(file))
    assert file.read_bytes() == b"data"
