"""What each kind of job does on a host (``docs/agent.md``, Jobs)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from octotui.api.facts import READ_ONLY_VERBS
from octotui_lab import agent_database, agent_facts
from octotui_lab.agent_errors import AgentError, Parameters, checked_file_name
from octotui_lab.agent_installer import msi_install, msi_uninstall, package_problem
from octotui_lab.agent_parking import parked
from octotui_lab.agent_run import JobEnd, JobRun
from octotui_lab.model.program import Program

_SEPARATORS = "\\/"
#: Downloads tell how far they are about this often (bytes).
_PROGRESS_STEP = 16 * 1024**2


async def stage(run: JobRun, parameters: Parameters) -> JobEnd:
    """Downloads a package and proves its hash."""
    host, url = run.host, parameters.text("url")
    name, expected = parameters.text("file_name"), parameters.text("sha256").lower()
    size = parameters.size("size")
    checked_file_name(name)
    folder = host.octotui_directory / "packages"
    folder.mkdir(exist_ok=True)
    file, part = folder / name, folder / f"{name}.part"
    result = {"path": str(file), "sha256": "", "size": 0}
    if package_problem(file, expected, None):
        node = host.node
        duration = host.world.cluster.seconds(node, host.world.cluster.durations.stage)
        typical_end = run.deadline(duration)
        try:
            await host.network.download(url, part, _progress(run))
        except OSError as error:
            return JobEnd(1, {**result, "problem": f"{name} could not be downloaded: {error}"})
        await host.waiter.until(lambda: False, typical_end)
        if problem := package_problem(part, expected, size):
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
            await _service_verb(run, "stop", service["instance"], deadline)

    def stopped() -> bool:
        now = agent_facts.services(host)
        working = [p for p in now["processes"] if p["verb"] not in READ_ONLY_VERBS]
        return not working and all(s["state"] == "stopped" for s in now["services"])

    problem = ""
    if not await host.waiter.until(stopped, deadline):
        problem = "not every Octopus service and process was gone within the time limit"
    return JobEnd(1 if problem else 0, {**agent_facts.services(host), "problem": problem})


async def start(run: JobRun, parameters: Parameters) -> JobEnd:
    """Starts what ran when the host was parked, or everything on one that is not."""
    host, deadline = run.host, run.deadline(parameters.number("timeout"))
    found = parked(host)
    wanted = agent_facts.services(host)["services"]
    none = "there is none on this node"
    if found is not None:
        ran = {s["name"] for s in found["services"] if s["state"] != "stopped"}
        if not ran:
            none = "none ran when the node was parked"
        wanted = [service for service in wanted if service["name"] in ran]
    if not wanted:
        services = agent_facts.services(host)["services"]
        problem = f"no service was to be started: {none}"
        return JobEnd(1, {"services": services, "problem": problem})
    for service in wanted:
        if service["start_type"] == "disabled":
            host.set_start_type(service["name"], "manual")
        if service["state"] != "running":
            await _service_verb(run, "start", service["instance"], deadline)
    names = {service["name"] for service in wanted}

    def running() -> bool:
        now = agent_facts.services(host)["services"]
        return all(s["state"] == "running" for s in now if s["name"] in names)

    problem = ""
    if not await host.waiter.until(running, deadline):
        problem = "not every Octopus service was running within the time limit"
    services = agent_facts.services(host)["services"]
    return JobEnd(1 if problem else 0, {"services": services, "problem": problem})


async def database_state(run: JobRun, parameters: Parameters) -> JobEnd:
    """Reads what the database says, under the job's account."""
    name = parameters.text("instance")
    instance = await agent_facts.read_instance(run.host, name, run.identity)
    state = await agent_database.state(run.host, instance, run.identity)
    return JobEnd(0, {"state": state, "problem": ""})


async def database_upgrade(run: JobRun, parameters: Parameters) -> JobEnd:
    """The one database upgrade, its output as it comes."""
    name = agent_facts.instance(run.host, parameters.text("instance"))["name"]
    program = _started(run, "database", "--upgrade", f"--instance={name}", "--console")
    exit_code = await run.host.finish(program, run.write)
    problem = f"the database upgrade ended with {exit_code}" if exit_code else ""
    return JobEnd(exit_code, {"problem": problem})


async def backup(run: JobRun, parameters: Parameters) -> JobEnd:
    """A full backup that leaves the customer's chain alone, and its verification."""
    host, name = run.host, parameters.text("instance")
    instance = await agent_facts.read_instance(host, name, run.identity)
    database, clock = instance["database_name"], host.world.schedule.clock
    started = clock.now()
    stamp = datetime.fromtimestamp(started, tz=UTC).strftime("%Y%m%d-%H%M%S")
    folder = parameters.text("path")
    # The path is SQL Server's, which may run on Linux, so its own separator is kept.
    separator = "\\" if "\\" in folder else "/"
    file = f"{folder.rstrip(_SEPARATORS)}{separator}{database}-{stamp}.bak"
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
    run.write(f"backing up {database} on {result['server']} to {file}")
    for text in (
        f"BACKUP DATABASE [{database}] TO DISK = N'{quoted}' "
        "WITH COPY_ONLY, CHECKSUM, FORMAT, STATS = 5",
        f"RESTORE VERIFYONLY FROM DISK = N'{quoted}' WITH CHECKSUM",
    ):
        statement = await run.sql(text)
        result["finished"] = clock.now()
        if statement.error:
            if statement.connected:
                run.write(statement.error)
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


async def _service_verb(run: JobRun, verb: str, instance: str, deadline: float) -> None:
    """Runs the verb, until the deadline at most: services and processes show what came of it."""
    host, what = run.host, f"service --{verb} of instance {instance}"
    if deadline <= host.world.schedule.clock.now():
        run.write(f"{what} was not begun: the time limit was over")
        return
    program = _started(run, "service", f"--{verb}", f"--instance={instance}")
    written = 0

    def news() -> bool:
        return len(program.lines) > written or program.exit_code is not None

    exit_code, in_time = None, True
    while exit_code is None and in_time:
        in_time = await host.waiter.until(news, deadline)
        # Whether this is the end must be known before the lines are taken.
        exit_code = program.exit_code
        for line in program.lines[written:]:
            run.write(line)
            written += 1
    if exit_code is None:
        run.write(f"{what} had not ended at the time limit")
    elif exit_code:
        run.write(f"{what} ended with {exit_code}")


def _started(run: JobRun, *arguments: str) -> Program:
    try:
        return run.host.start_octopus_server(arguments, run.identity)
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
