"""The primitive calls by name, as the PowerShell shim makes them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from octotui_lab import host_calls
from octotui_lab.catalogue import PUBLISHER
from octotui_lab.clock import VirtualClock
from octotui_lab.hosts import WindowsHost
from tests.lab_estate import OLD, PATCH, hosts, package, package_bytes, world


@pytest_asyncio.fixture
async def host(tmp_path: Path) -> AsyncIterator[WindowsHost]:
    lab = world(VirtualClock(), 1, root=str(tmp_path))
    host = hosts(lab)["OCTO1"]
    # Nothing but the tests starts or stops anything here.
    lab.set_watchdog("OCTO1", False)
    yield host
    await host.close()


async def run(host: WindowsHost, *argv: str) -> tuple[list[str], int]:
    """A program by program-start and program-wait: its lines and exit code."""
    number = (await host.call("program-start", {"argv": list(argv), "user": "admin"}))["id"]
    lines: list[str] = []
    while True:
        told = await host.call("program-wait", {"id": number, "offset": len(lines), "wait": 30})
        lines += told["lines"]
        if told["exit_code"] is not None:
            return lines, told["exit_code"]


async def sql(host: WindowsHost, statement: str) -> dict[str, Any]:
    args = {"statement": statement, "identity": "OCTOLAB\\sql"}
    number = (await host.call("sql-start", args))["id"]
    seen = 0
    while True:
        told = await host.call("sql-wait", {"id": number, "offset": seen, "wait": 30})
        seen += len(told["messages"])
        if told["done"]:
            return told


async def test_the_documented_calls_are_the_ones_there_are(host: WindowsHost) -> None:
    documented = re.findall(r"^([a-z]+(?:-[a-z]+)*)  +\S", str(host_calls.__doc__), re.MULTILINE)
    with pytest.raises(ValueError, match="unknown call 'nothing'") as refused:
        await host.call("nothing", {})
    there = str(refused.value).partition("there are ")[2].split(", ")
    assert [name for name in documented if name != "name"] == there


async def test_services_and_tasks(host: WindowsHost) -> None:
    (service,) = (await host.call("services", {}))["services"]
    assert (service["name"], service["state"]) == ("OctopusDeploy", "running")
    assert service["path"].endswith('Octopus.Server.exe" run --instance=OctopusServer')
    assert await host.call("stop-service", {"name": "OctopusDeploy"}) == {
        "stopped": True,
        "message": "",
    }
    await host.call("set-start-type", {"name": "OctopusDeploy", "start_type": "disabled"})
    refused = await host.call("start-service", {"name": "OctopusDeploy"})
    assert not refused["started"]
    assert "disabled" in refused["message"]
    await host.call("set-start-type", {"name": "OctopusDeploy", "start_type": "manual"})
    assert (await host.call("start-service", {"name": "OctopusDeploy"}))["started"]
    await host.call("set-task-enabled", {"name": "Octopus Watchdog OctopusServer", "enabled": True})
    (task,) = (await host.call("scheduled-tasks", {}))["tasks"]
    assert task["enabled"]


async def test_processes_can_be_killed(host: WindowsHost) -> None:
    (process,) = (await host.call("processes", {}))["processes"]
    await host.call("kill-process", {"process_id": process["process_id"]})
    assert (await host.call("processes", {}))["processes"] == []


async def test_programs(host: WindowsHost) -> None:
    assert await run(host, "/x/Octopus.Server.exe", "version") == ([OLD], 0)
    lines, exit_code = await run(host, "Octopus.Server.exe", "service", "--stop")
    assert exit_code == 0
    assert "Service stopped" in lines[0]
    file = host.root / "Temp" / "new.msi"
    file.write_bytes(package_bytes(PATCH))
    signature = await host.call("signature", {"path": str(file), "sha256": package(PATCH).sha256})
    assert signature == {"status": "Valid", "signer": PUBLISHER}
    log = host.root / "Temp" / "msi.log"
    _, exit_code = await run(
        host, "msiexec.exe", "/i", str(file), "/quiet", "/norestart", "/l*v", str(log),
        "RUNMANAGERONEXIT=no", f"INSTALLLOCATION={host.install_directory}",
    )  # fmt: skip
    assert exit_code == 0
    assert log.read_bytes().startswith(b"\xff\xfe")
    executable = str(host.executable)
    assert await host.call("file-version", {"path": executable}) == {"version": PATCH}
    assert await host.call("file-version", {"path": str(file)}) == {"version": ""}
    # The stop was not an upgrade's, but the installation was as it should be.
    assert {v["rule"] for v in host.world.truth()["violations"]} == {"R7"}


async def test_the_registry_follows_the_installation(host: WindowsHost) -> None:
    def installed(keys: dict[str, dict[str, Any]]) -> list[str]:
        return [v["DisplayVersion"] for v in keys.values() if "DisplayVersion" in v]

    keys = (await host.call("registry", {}))["keys"]
    assert installed(keys) == [OLD]
    location = keys["HKLM\\SOFTWARE\\Octopus\\OctopusServer"]["InstallLocation"]
    assert location.rstrip("/") == str(host.install_directory)
    await run(host, "msiexec.exe", "/x", package(OLD).product_code, "/quiet", "/norestart")
    assert installed((await host.call("registry", {}))["keys"]) == []
    host.world.add_fault("node1:pending-reboot")
    keys = (await host.call("registry", {}))["keys"]
    assert any(key.endswith("RebootPending") for key in keys)


async def test_sql(host: WindowsHost) -> None:
    told = await sql(host, "SELECT SUSER_SNAME() AS who")
    assert told["rows"] == [{"who": "OCTOLAB\\sql"}]
    backup = await sql(host, "BACKUP DATABASE [Octopus] TO DISK = N'/b/x.bak' WITH COPY_ONLY")
    assert backup["error"] == ""


async def test_new_packages_are_noticed_once(host: WindowsHost) -> None:
    folder = host.octotui_directory / "packages"
    folder.mkdir(parents=True)
    (folder / "a.msi").write_bytes(b"a")
    (folder / "b.msi.part").write_bytes(b"b")
    for _ in range(2):
        await host.call("note-staged", {})
    staged = [a["detail"] for a in host.world.truth()["actions"] if a["action"] == "stage"]
    assert [detail["file_name"] for detail in staged] == ["a.msi"]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("file-version", {}, "'path' is missing"),
        ("file-version", {"path": 3}, "no text"),
        ("stop-service", {"name": "Spooler"}, "no service 'Spooler'"),
        ("set-start-type", {"name": "OctopusDeploy", "start_type": "x"}, "unknown start type 'x'"),
        ("set-task-enabled", {"name": "x", "enabled": True}, "no scheduled task 'x'"),
        ("kill-process", {"process_id": 1}, "no process 1"),
        ("program-start", {"argv": ["notepad.exe"], "user": "a"}, "no program 'notepad.exe'"),
        ("program-wait", {"id": 9, "offset": 0, "wait": 0}, "no program 9"),
        ("sql-wait", {"id": 9, "wait": 0}, "no statement 9"),
    ],
)
async def test_bad_calls_are_refused_with_a_sentence(
    host: WindowsHost, name: str, args: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await host.call(name, args)
