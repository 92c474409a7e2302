"""What each kind of job does on a host (``docs/agent.md``, Jobs)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from octotui_lab import agent_database, agent_facts, host_files
from octotui_lab.agent_errors import AgentError, Parameters
from octotui_lab.agent_parking import parked
from octotui_lab.hosts import WindowsHost
from octotui_lab.model.sql import Statement
from octotui_lab.model.state import PACKAGE_FILES

_SUCCESS = frozenset({0, 1641, 3010})
#: Downloads tell how far they are about this often (bytes).
_PROGRESS_STEP = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended; ``result`` always has ``problem``."""

    exit_code: int
    result: dict[str, Any]


class JobRun:
    """A job under way: on which host, as whom, with its folder and its output."""

    def __init__(self, host: WindowsHost, job_id: str, folder: Path, identity: str) -> None:
        self.host = host
        self.id = job_id
        self.folder = folder
        self.identity = identity
        self._written = 0

    def write(self, line: str) -> None:
        """Appends a line to the job's output."""
        data = f"{line}\n".encode()
        with (self.folder / "output.txt").open("ab") as file:
            file.write(data)
        self._written += len(data)
        self.host.wrote(self.id, self._written)

    def deadline(self, seconds: float) -> float:
        """When that many seconds of the node's time are over: they pass as fast as its work."""
        clock = self.host.world.schedule.clock
        return clock.now() + seconds / clock.speed

    async def sql(self, text: str) -> Statement:
        """Runs a statement as the job's account, its messages into the output."""
        return await self.host.sql(text, self.identity, self.write)


async def stage(run: JobRun, parameters: Parameters) -> JobEnd:
    """Downloads a package and proves its hash."""
    host, url = run.host, parameters.text("url")
    name, expected = parameters.text("file_name"), parameters.text("sha256").lower()
    size = parameters.size("size")
    if Path(name).name != name or name in {"", ".", ".."}:
        raise AgentError("bad-request", f"{name} is no file name")
    folder = host.octotui_directory / "packages"
    folder.mkdir(exist_ok=True)
    file, part = folder / name, folder / f"{name}.part"
    result = {"path": str(file), "sha256": "", "size": 0}
    if not (file.exists() and host_files.sha256_of(file) == expected):
        node = host.node
        duration = host.world.cluster.seconds(node, host.world.cluster.durations.stage)
        typical_end = run.deadline(duration)
        try:
            await host.network.download(url, part, _progress(run))
        except OSError as error:
            return JobEnd(1, {**result, "problem": f"{name} could not be downloaded: {error}"})
        await host.waiter.until(lambda: False, typical_end)
        if problem := _wrong(part, expected, size):
            part.unlink()
            return JobEnd(1, {**result, "problem": f"{name} {problem}"})
        part.replace(file)
        host.notice_staged()
    result = {"path": str(file), "sha256": expected, "size": file.stat().st_size}
    return JobEnd(0, {**result, "problem": ""})


async def stop(run: JobRun, parameters: Parameters) -> JobEnd:
    """Stops every instance and waits until service and process are gone."""
    host, deadline = run.host, run.deadline(parameters.number("timeout"))
    for service in agent_facts.services(host)["services"]:
        if service["state"] != "stopped":
            await _server(run, "service", "--stop", f"--instance={service['instance']}")

    def stopped() -> bool:
        now = agent_facts.services(host)
        return not now["processes"] and all(s["state"] == "stopped" for s in now["services"])

    problem = ""
    if not await host.waiter.until(stopped, deadline):
        problem = "not every Octopus service and process was gone within the time limit"
    return JobEnd(1 if problem else 0, {**agent_facts.services(host), "problem": problem})


async def start(run: JobRun, parameters: Parameters) -> JobEnd:
    """Starts what ran when the host was parked, or everything on one that is not."""
    host, deadline = run.host, run.deadline(parameters.number("timeout"))
    found = parked(host)
    wanted = agent_facts.services(host)["services"]
    if found is not None:
        ran = {s["name"] for s in found["services"] if s["state"] == "running"}
        wanted = [service for service in wanted if service["name"] in ran]
    for service in wanted:
        if service["start_type"] == "disabled":
            host.set_start_type(service["name"], "manual")
        await _server(run, "service", "--start", f"--instance={service['instance']}")
    names = {service["name"] for service in wanted}

    def running() -> bool:
        now = agent_facts.services(host)["services"]
        return all(s["state"] == "running" for s in now if s["name"] in names)

    problem = ""
    if not await host.waiter.until(running, deadline):
        problem = "not every Octopus service was running within the time limit"
    services = agent_facts.services(host)["services"]
    return JobEnd(1 if problem else 0, {"services": services, "problem": problem})


async def msi_install(run: JobRun, parameters: Parameters) -> JobEnd:
    """Installs a package whose hash is proved right before."""
    host, path = run.host, Path(parameters.text("path"))
    directory, expected = parameters.text("install_directory"), parameters.text("sha256").lower()
    log = str(run.folder / "msi.log")
    result: dict[str, Any] = {"version": "", "product_code": "", "log": log, "missing": []}
    if problem := _wrong_package(path, expected):
        return JobEnd(1, {**result, "problem": problem})
    arguments = ["/i", str(path), "/quiet", "/norestart", "/l*v", log]
    arguments += ["RUNMANAGERONEXIT=no", f'INSTALLLOCATION="{directory}"']
    exit_code = await host.msiexec(arguments, run.identity)
    node = host.node
    if node.version:
        result["version"] = host.file_version(str(host.executable))
        result["product_code"] = node.product_code
        result["missing"] = _missing(host)
    return JobEnd(exit_code, {**result, "problem": _msi_problem(exit_code)})


async def msi_uninstall(run: JobRun, parameters: Parameters) -> JobEnd:
    """Uninstalls the product of that code."""
    log = str(run.folder / "msi.log")
    arguments = ["/x", parameters.text("product_code"), "/quiet", "/norestart", "/l*v", log]
    exit_code = await run.host.msiexec(arguments, run.identity)
    return JobEnd(exit_code, {"log": log, "problem": _msi_problem(exit_code)})


async def database_state(run: JobRun, parameters: Parameters) -> JobEnd:
    """Reads what the database says, under the job's account."""
    instance = agent_facts.instance(run.host, parameters.text("instance"))
    state = await agent_database.state(run.host, instance, run.identity)
    return JobEnd(0, {"state": state, "problem": ""})


async def database_upgrade(run: JobRun, parameters: Parameters) -> JobEnd:
    """The one database upgrade, its output as it comes."""
    name = agent_facts.instance(run.host, parameters.text("instance"))["name"]
    exit_code = await _server(run, "database", "--upgrade", f"--instance={name}", "--console")
    problem = f"the database upgrade ended with {exit_code}" if exit_code else ""
    return JobEnd(exit_code, {"problem": problem})


async def backup(run: JobRun, parameters: Parameters) -> JobEnd:
    """A full backup that leaves the customer's chain alone, and its verification."""
    host, instance = run.host, agent_facts.instance(run.host, parameters.text("instance"))
    database, clock = instance["database_name"], host.world.schedule.clock
    started = clock.now()
    stamp = datetime.fromtimestamp(started, tz=UTC).strftime("%Y%m%d-%H%M%S")
    folder = parameters.text("path")
    separator = "\\" if "\\" in folder else "/"
    file = f"{folder.rstrip(separator)}{separator}{database}-{stamp}.bak"
    quoted = file.replace("'", "''")
    result = {
        "file": file,
        "database": database,
        "server": instance["database_server"],
        "started": started,
        "finished": started,
        "size": None,
        "verified": False,
    }
    for text in (
        f"BACKUP DATABASE [{database}] TO DISK = N'{quoted}' "
        "WITH COPY_ONLY, CHECKSUM, FORMAT, STATS = 5",
        f"RESTORE VERIFYONLY FROM DISK = N'{quoted}' WITH CHECKSUM",
    ):
        statement = await run.sql(text)
        result["finished"] = clock.now()
        if statement.error:
            return JobEnd(1, {**result, "problem": statement.error})
    return JobEnd(0, {**result, "verified": True, "problem": ""})


KINDS: Mapping[str, Callable[[JobRun, Parameters], Awaitable[JobEnd]]] = {
    "stage": stage,
    "stop": stop,
    "start": start,
    "msi-install": msi_install,
    "msi-uninstall": msi_uninstall,
    "database-state": database_state,
    "database-upgrade": database_upgrade,
    "backup": backup,
}

#: Kinds of which only one runs on a host at a time.
EXCLUSIVE = frozenset({"msi-install", "msi-uninstall", "database-upgrade"})


async def _server(run: JobRun, *arguments: str) -> int:
    try:
        return await run.host.octopus_server(arguments, run.identity, run.write)
    except FileNotFoundError as error:
        raise AgentError("not-installed", f"{error} does not exist") from error


def _progress(run: JobRun) -> Callable[[int], None]:
    told = 0

    def progress(received: int) -> None:
        nonlocal told
        if received - told >= _PROGRESS_STEP:
            told = received
            run.write(str(received))

    return progress


def _wrong(file: Path, expected: str, size: int | None) -> str:
    if size is not None and file.stat().st_size != size:
        return f"has {file.stat().st_size} bytes, not {size}"
    if (found := host_files.sha256_of(file)) != expected:
        return f"has the hash {found}, not {expected}"
    return ""


def _wrong_package(file: Path, expected: str) -> str:
    if not file.is_file():
        return f"there is no file {file}"
    if problem := _wrong(file, expected, None):
        return f"{file} {problem}"
    return ""


def _missing(host: WindowsHost) -> list[str]:
    return [name for name in PACKAGE_FILES if not (host.install_directory / name).exists()]


def _msi_problem(exit_code: int) -> str:
    return "" if exit_code in _SUCCESS else f"msiexec ended with {exit_code}"
