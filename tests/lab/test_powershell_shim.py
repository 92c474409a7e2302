"""The shim of Windows asks the lab's world and answers as Windows' own cmdlets and programs do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from octotui_lab.powershell.engine import PowerShellEngine
from tests.lab.powershell_support import ScriptedWorld, encoded, find_powershell

pytestmark = [pytest.mark.powershell, pytest.mark.asyncio(loop_scope="module")]

SERVICE = {
    "name": "OctopusDeploy",
    "display_name": "OctopusDeploy",
    "state": "running",
    "start_type": "automatic-delayed",
    "process_id": 4711,
    "account": "LAB\\svc-octopus",
    "path": '"C:\\Octopus.Server.exe" run --instance=OctopusServer',
}


@dataclass
class Node:
    """An engine and its world."""

    engine: PowerShellEngine
    world: ScriptedWorld
    root: Path

    async def run(self, script: str, *lines: str, **answers: Any) -> list[str]:
        """What the script writes, of ``$lines``; the world answers from ``answers``."""
        self.world.asked.clear()
        self.world.answers |= {name.replace("_", "-"): value for name, value in answers.items()}
        start = "$lines = @($input); $ErrorActionPreference = 'Stop'; Set-StrictMode -Version 3; "
        command = encoded(start + script, "".join(f"{line}\n" for line in lines).encode())
        exit_code = await self.engine.execute(command)
        assert (exit_code, command.stderr.decode()) == (0, "")
        return command.lines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    root = tmp_path_factory.mktemp("a node")
    async with (
        ScriptedWorld().serve() as world,
        PowerShellEngine(find_powershell(), root, world.url, "OCTO1") as engine,
    ):
        yield Node(engine, world, root)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1),
        ("Name = 'OctopusDeploy'", 1),
        ("name='octopusdeploy' AND State='Running'", 1),
        ("PathName LIKE '%Octopus.Server.exe%'", 1),
        ("PathName LIKE '%Other.exe%' OR ProcessId > 4710", 1),
        ("State <> 'Running'", 0),
        ('Name = "Octopus Deploy"', 0),
    ],
)
async def test_services_are_found_by_a_query(node: Node, query: str, found: int) -> None:
    lines = await node.run(
        "foreach ($s in @(Get-CimInstance -ClassName Win32_Service -Filter $lines[0])) {"
        ' "$($s.Name) $($s.State) $($s.StartMode) $($s.DelayedAutoStart) $($s.ProcessId)'
        ' $($s.StartName)" }',
        query,
        services={"services": [SERVICE]},
    )
    assert lines == ["OctopusDeploy Running Auto True 4711 LAB\\svc-octopus"] * found


@pytest.mark.parametrize(
    "script",
    [
        "Get-CimInstance Win32_Toaster",
        "Get-CimInstance Win32_Service -Filter 'Name is good'",
        "Get-Service nobody",
        "Get-ScheduledTask nobody",
        "Start-ScheduledTask nobody",
        "Start-Service OctopusDeploy",
    ],
)
async def test_failures_end_a_script_that_says_stop_and_no_other(node: Node, script: str) -> None:
    answers: dict[str, Any] = {
        "services": {"services": [SERVICE]},
        "scheduled_tasks": {"tasks": []},
        "start_service": {"started": False, "message": "it is disabled"},
    }
    assert await node.run(f"try {{ {script}; 'on' }} catch {{ 'ended' }}", **answers) == ["ended"]
    quiet = f"{script} -ErrorAction SilentlyContinue; 'on'"
    assert await node.run(quiet, **answers) == ["on"]


async def test_processes_are_the_worlds_and_the_engines_own(node: Node) -> None:
    lines = await node.run(
        "foreach ($p in @(Get-CimInstance Win32_Process)) {"
        ' "$($p.ProcessId) $($p.Name) $($p.ExecutablePath)" };'
        " [DateTimeOffset]::new((Get-CimInstance Win32_Process"
        " -Filter 'ProcessId = 99').CreationDate).ToUnixTimeMilliseconds()",
        processes={
            "processes": [
                {
                    "process_id": 99,
                    "name": "Octopus.Server.exe",
                    "command_line": '"/a b/Octopus.Server.exe" run',
                    "started": 1_760_000_000.25,
                }
            ]
        },
    )
    assert lines == [
        f"{node.engine.process_id} powershell.exe powershell.exe",
        "99 Octopus.Server.exe /a b/Octopus.Server.exe",
        "1760000000250",
    ]


async def test_the_registry_is_what_the_world_says_at_the_time_of_each_call(node: Node) -> None:
    read = (
        "(Get-ItemProperty -Path HKLM:\\SOFTWARE\\octopus\\OctopusServer).InstallLocation;"
        " @(Get-ChildItem HKLM:\\Software\\Octopus).Count"
    )
    for place in ("/first", "/second"):
        keys = {
            "HKLM\\Software\\Octopus\\OctopusServer": {"InstallLocation": place, "Number": 3},
            "HKLM\\SOFTWARE\\Octopus\\Other": {"Several": ["a", "b"]},
        }
        assert await node.run(read, registry={"keys": keys}) == [place, "2"]


@pytest.mark.parametrize("code", [0, 1, 255, 1603, 3010, -2147450740])
async def test_programs_run_in_the_world_with_their_whole_exit_code(node: Node, code: int) -> None:
    lines = await node.run(
        "$p = Start-Process msiexec.exe -PassThru -NoNewWindow -ArgumentList"
        " '/i a.msi LOCATION=\"a b\"'; $null = $p.Handle; $p.WaitForExit(); $p.ExitCode",
        program_start={"id": "7"},
        program_wait=[
            {"lines": ["one"], "exit_code": None},
            {"lines": [], "exit_code": code},
        ],
    )
    assert lines[-1] == str(code)
    started = node.world.of("program-start")[0]["argv"]
    assert Path(started[0]).name == "msiexec.exe"
    assert started[1:] == ["/i", "a.msi", "LOCATION=a b"]
    assert [ask["offset"] for ask in node.world.of("program-wait")] == [0, 1]


async def test_sc_sets_a_start_type(node: Node) -> None:
    lines = await node.run(
        "$null = & sc.exe config OctopusDeploy start= delayed-auto; $LASTEXITCODE;"
        " $null = & sc.exe config nobody start= demand; [bool]$LASTEXITCODE",
        services={"services": [SERVICE]},
        set_start_type={},
    )
    assert lines == ["0", "True"]
    assert node.world.of("set-start-type") == [
        {"name": "OctopusDeploy", "start_type": "automatic-delayed"}
    ]


async def test_versions_and_signatures_come_from_the_world(node: Node) -> None:
    file = node.root / "some.msi"
    file.write_bytes(b"content")
    lines = await node.run(
        "(Get-Item -LiteralPath $lines[0]).VersionInfo.FileVersion;"
        " $s = Get-AuthenticodeSignature -LiteralPath $lines[0];"
        ' "$($s.Status) $($s.SignerCertificate.Subject)"',
        str(file),
        file_version={"version": "2025.2.13071"},
        signature={"status": "HashMismatch", "signer": "CN=Somebody"},
    )
    assert lines == ["2025.2.13071", "HashMismatch CN=Somebody"]
    asked = node.world.of("signature")[0]
    assert asked["path"] == str(file)
    assert asked["sha256"] == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


async def test_a_scheduled_task_outlives_the_call_that_started_it(node: Node) -> None:
    script, output = node.root / "task.ps1", node.root / "task.json"
    script.write_text(
        "param([string]$What, [string]$Id)\n"
        'while (-not (Test-Path "$PSScriptRoot/go")) { [Threading.Thread]::Sleep(5) }\n'
        "$null = & msiexec.exe /x\n"
        "ConvertTo-Json @{ what = $What; id = $Id; pid = $PID } |"
        ' Set-Content "$PSScriptRoot/part.json"\n'
        'Rename-Item "$PSScriptRoot/part.json" task.json; exit 3\n'
    )
    lines = await node.run(
        "$action = New-ScheduledTaskAction -Execute powershell.exe"
        " -Argument ('-NoProfile -File \"{0}\" job-run a.b' -f $lines[0]);"
        " $null = Register-ScheduledTask -TaskPath '\\octotui\\' -TaskName a.b -Action $action"
        " -User 'LAB\\runner' -Password secret -RunLevel Highest;"
        " Start-ScheduledTask -TaskPath '\\octotui\\' -TaskName a.b;"
        " (Get-ScheduledTask -TaskPath '\\octotui\\' -TaskName a.b).State",
        str(script),
        scheduled_tasks={"tasks": []},
        program_start={"id": "1"},
        program_wait={"lines": [], "exit_code": 0},
    )
    assert lines == ["Running"]
    (node.root / "go").touch()
    async with asyncio.timeout(30):
        while not output.exists():
            await asyncio.sleep(0.01)
        ended = ["Running"]
        while ended[0] == "Running":
            ended = await node.run(
                "(Get-ScheduledTask a.b).State; (Get-ScheduledTaskInfo a.b '\\octotui\\')"
                ".LastTaskResult; Unregister-ScheduledTask a.b -Confirm:$false;"
                " @(Get-ScheduledTask).Count"
            )
    assert json.loads(output.read_text("cp1252")) == {
        "what": "job-run",
        "id": "a.b",
        "pid": node.engine.process_id,
    }
    assert ended == ["Ready", "3", "0"]
