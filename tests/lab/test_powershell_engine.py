"""The engine runs scripts as powershell.exe would: output, exit codes, cancelling, dying."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from octotui_lab.powershell.engine import KILLED, PowerShellEngine, PowerShellMissing
from tests.lab.powershell_support import Command, ScriptedWorld, encoded, find_powershell

pytestmark = [pytest.mark.powershell, pytest.mark.asyncio(loop_scope="module")]

SCRIPT = """param([string]$What)
$lines = @($input)
Write-Output "$What $($lines -join '+') $($PSCommandPath -eq $MyInvocation.MyCommand.Path)"
& /bin/sh -c 'exit 5'
if ($What -eq 'exit') { exit 3 }
if ($What -eq 'zero') { exit 0 }
if ($What -eq 'throw') { throw 'it broke' }
if ($What -eq 'error') { Write-Error 'it bent' }
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PowerShellEngine]:
    root = tmp_path_factory.mktemp("node")
    async with (
        ScriptedWorld().serve() as world,
        PowerShellEngine(find_powershell(), root, world.url, "OCTO1") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a folder") / "script.ps1"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize(
    ("what", "exit_code", "stderr"),
    [
        ("exit", 3, ""),
        ("zero", 0, ""),
        ("nothing", 0, ""),
        ("throw", 1, "it broke"),
        ("error", 0, "it bent"),
    ],
)
async def test_a_file_is_run_with_its_exit_code(
    engine: PowerShellEngine, script: Path, what: str, exit_code: int, stderr: str
) -> None:
    command = Command(f'powershell.exe -NoProfile -File "{script}" {what}', b"one\r\ntwo\n")
    assert await engine.execute(command) == exit_code
    assert command.lines == [f"{what} one+two True"]
    assert stderr in command.stderr.decode()
    assert bool(command.stderr) == bool(stderr)


@pytest.mark.parametrize(
    ("text", "exit_code", "lines"),
    [
        ("exit 7", 7, []),
        ("exit -1", 0xFFFFFFFF, []),
        ("1; 'two'", 0, ["1", "two"]),
        ("Write-Error 'no'", 1, []),
        ("throw 'no'", 1, []),
        ("& /bin/false", 1, []),
        ("'é' * 3; Write-Host 'shown'", 0, ["ééé", "shown"]),
        ("[Console]::Out.WriteLine('x'); [Console]::In.ReadLine()", 0, []),
        ("$(", 1, []),
        ("'x' * 300", 0, ["x" * 300]),
    ],
)
async def test_a_text_is_run_with_its_exit_code(
    engine: PowerShellEngine, text: str, exit_code: int, lines: list[str]
) -> None:
    command = encoded(text)
    assert await engine.execute(command) == exit_code
    assert command.lines == lines


async def test_a_missing_file_and_other_programs_are_refused(
    engine: PowerShellEngine, tmp_path: Path
) -> None:
    missing = Command(f"powershell.exe -File {tmp_path / 'none.ps1'} facts")
    assert await engine.execute(missing) == 0xFFFD0000
    assert b"none.ps1" in missing.stderr
    assert await engine.execute(Command("cmd.exe /c dir")) == 1
    assert await engine.execute(Command("powershell.exe -EncodedCommand %")) == 0xFFFD0000


async def test_calls_see_nothing_of_each_other_and_run_at_once(
    engine: PowerShellEngine, tmp_path: Path
) -> None:
    # Each waits for a file that the other makes: in sequence they would never end.
    def meeting(own: str, other: str) -> Command:
        return encoded(
            f"$global:seen = '{own}'; New-Item -ItemType File '{tmp_path}/{own}' | Out-Null; "
            f"while (-not (Test-Path '{tmp_path}/{other}')) {{ [Threading.Thread]::Sleep(5) }} "
            "$global:seen"
        )

    first, second = meeting("a", "b"), meeting("b", "a")
    async with asyncio.timeout(30):
        await asyncio.gather(engine.execute(first), engine.execute(second))
    assert (first.lines, second.lines) == (["a"], ["b"])
    after = encoded("[bool](Get-Variable seen -ErrorAction SilentlyContinue)")
    await engine.execute(after)
    assert after.lines == ["False"]


async def test_output_arrives_while_the_script_runs(
    engine: PowerShellEngine, tmp_path: Path
) -> None:
    command = encoded(
        f"'early'; while (-not (Test-Path '{tmp_path}/seen')) {{ [Threading.Thread]::Sleep(5) }}"
    )
    running = asyncio.create_task(engine.execute(command))
    async with asyncio.timeout(30):
        while not command.stdout:
            await asyncio.sleep(0.01)
    (tmp_path / "seen").touch()
    assert await running == 0


async def test_cancelling_stops_the_script(engine: PowerShellEngine, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    command = encoded(
        f"try {{ 'begun'; [void](Start-Sleep 600) }} finally {{ Set-Content '{ended}' 'x' }}"
    )
    running = asyncio.create_task(engine.execute(command))
    async with asyncio.timeout(30):
        while not command.stdout:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        while not ended.exists():
            await asyncio.sleep(0.01)


async def test_an_engine_that_dies_ends_its_calls_and_is_replaced(
    engine: PowerShellEngine,
) -> None:
    command = encoded("'begun'; Start-Sleep 600")
    running = asyncio.create_task(engine.execute(command))
    async with asyncio.timeout(30):
        while not command.stdout:
            await asyncio.sleep(0.01)
        before = engine.process_id
        await engine.power_off()
        assert await running == KILLED
        after = encoded("$PID")
        assert await engine.execute(after) == 0
    assert engine.process_id != before
    assert after.lines == [str(engine.process_id)]


async def test_a_powershell_that_cannot_start_says_so(tmp_path: Path) -> None:
    with pytest.raises(PowerShellMissing, match="nowhere"):
        async with PowerShellEngine(tmp_path / "nowhere", tmp_path, "http://127.0.0.1:9", "OCTO1"):
            pass
    with pytest.raises(PowerShellMissing, match="true"):
        async with PowerShellEngine(Path("/bin/true"), tmp_path, "http://127.0.0.1:9", "OCTO1"):
            pass
