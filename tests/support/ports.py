"""The lab's world behind the ports that the engine acts through, without any wire.

``PortNode``, ``PortServer`` and ``Shelf`` answer ``NodeOperations``, ``OctopusServer`` and
``Source`` straight from the lab's model, in memory. All above them is the product's own: runner,
journal, plan, steps, decisions. ``tests/simulation/test_ports.py`` holds them to the answers of the
simulation that speaks the agent's and the REST API's protocols.

Each port asks its ``Hook`` before a call and after its effect; what the hook raises is what the
caller gets, and what it does to the world is what somebody else did at that moment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from octotui.api.errors import (
    ApiKeyRefused,
    CredentialsRefused,
    NodeError,
    ServerNotReady,
    SourceError,
    Unreachable,
)
from octotui.api.facts import (
    READ_ONLY_VERBS,
    ClusterFacts,
    ClusterNode,
    Disk,
    FileProof,
    Instance,
    Job,
    License,
    LocalAnswer,
    NodeFacts,
    Parked,
    ParkedService,
    Process,
    Service,
    Services,
    Task,
    WatchdogTask,
)
from octotui.api.node import JobKind
from octotui.api.server import Serving
from octotui.api.source import Package, Progress, Release
from octotui_lab.catalogue import Catalogue
from octotui_lab.clock import sleep_until
from octotui_lab.model import installer, server_verbs
from octotui_lab.model.msi_arguments import install_directory, parse
from octotui_lab.model.program import Program
from octotui_lab.model.sql import iso
from octotui_lab.model.state import INSTANCE, SERVICE, SERVICE_ACCOUNT, WATCHDOG_TASK, Node
from octotui_lab.waiting import Waiter
from octotui_lab.world import World

#: The account that octotui's calls and jobs run as.
ACCOUNT = "OCTOLAB\\admin"

#: How long the product's REST client asks again while nobody is ready, seconds.
NOT_READY_PATIENCE = 60.0

#: Output of a job comes in pieces and not line by line, each some seconds after the one before.
OUTPUT_PAUSE = 5.0

#: Codes of Windows Installer after which the product is installed.
_INSTALLED = (0, 1641, 3010)

#: Kinds of jobs of which only one runs on a machine at a time.
_EXCLUSIVE = ("msi-install", "msi-uninstall", "database-upgrade")

Moment: TypeAlias = Literal["before", "after"]
#: Called with the moment and the call: ``OCTO1 job-start msi-install``, ``server set-maintenance``.
Hook: TypeAlias = Callable[[Moment, str], None]


def nothing_happens(moment: Moment, call: str) -> None:
    """The hook of an undisturbed run."""


@dataclass(eq=False)
class JobRecord:
    """A job on a machine, which goes on whether or not anybody asks for it."""

    kind: str
    task: asyncio.Task[None] | None = None
    exit_code: int | None = None
    result: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    state: Literal["running", "ended", "lost"] = "running"


@dataclass(eq=False)
class Machine:
    """What octotui leaves on one machine: staged files by path, what was parked, jobs, logs."""

    files: dict[str, str] = field(default_factory=dict)
    parked: Parked | None = None
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    busy: bool = False


class Shelf:
    """A source of packages, and what nodes fetch by its addresses.

    ``replaced``: hashes that arrive instead of the published ones, by file name, on nodes.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.replaced: dict[str, str] = {}
        self.hook: Hook = nothing_happens

    async def releases(self) -> Sequence[Release]:
        return [Release(p.version, p.released) for p in self.catalogue.packages]

    async def locate(self, version: str) -> Package:
        self.hook("before", f"source locate {version}")
        found = self.catalogue.by_version(version)
        if found is None:
            raise SourceError(f"there is no {version}")
        url = f"https://download.lab/{found.file_name}"
        return Package(version, found.file_name, url, found.sha256, found.size)

    async def download(self, package: Package, to: Path, progress: Progress) -> Package:
        """Counts as fetched: no byte of it matters here, since nodes fetch for themselves."""
        self.hook("before", f"source download {package.version}")
        progress(package.size or 0, package.size)
        return package

    def arrives(self, url: str, file_name: str) -> str:
        """The hash of what a node gets for a file of this name, from where it was told to."""
        if file_name in self.replaced:
            return self.replaced[file_name]
        published = {
            f"https://download.lab/{p.file_name}": p.sha256 for p in self.catalogue.packages
        }
        return published.get(url, "nothing is there")

    async def close(self) -> None: ...


class PortServer:
    """``OctopusServer`` of the node that the product was given the address of."""

    def __init__(self, lab: World, node: str, waiter: Waiter, hook: Hook) -> None:
        self._lab = lab
        self._node = node
        self._waiter = waiter
        self._hook = hook

    async def facts(self) -> ClusterFacts:
        await self._ready("facts")
        if not self._lab.api_key_administers():
            raise ApiKeyRefused("the API key's user may not: it needs AdministerSystem")
        return ClusterFacts(
            version=self._lab.serving_version(self._node),
            installation_id=self._lab.installation_id,
            maintenance=self._lab.maintenance,
            nodes=self._nodes(),
            license=License(self._lab.license_compliant(), "", ""),
        )

    async def maintenance(self) -> bool:
        await self._ready("maintenance")
        return self._lab.maintenance

    async def set_maintenance(self, on: bool) -> None:
        call = f"set-maintenance {'on' if on else 'off'}"
        await self._ready(call)
        self._lab.set_maintenance(on)
        self._hook("after", f"server {call}")

    async def nodes(self) -> tuple[ClusterNode, ...]:
        await self._ready("nodes")
        return self._nodes()

    def _nodes(self) -> tuple[ClusterNode, ...]:
        return tuple(
            ClusterNode(
                id=row.id,
                name=row.name,
                max_concurrent_tasks=row.task_cap,
                draining=row.draining,
                offline=row.offline,
                last_seen=iso(row.last_seen),
                running_tasks=row.running_tasks,
                version=row.version,
            )
            for row in self._lab.summary()
        )

    async def set_draining(self, node_id: str, draining: bool) -> None:
        name = node_id.removeprefix("OctopusServerNodes-")
        call = f"set-draining {name} {'on' if draining else 'off'}"
        await self._ready(call)
        cap = self._lab.cluster.database.rows[name].task_cap
        self._lab.set_node(name, draining=draining, task_cap=cap)
        self._hook("after", f"server {call}")

    async def running_tasks(self) -> tuple[Task, ...]:
        await self._ready("running-tasks")
        return tuple(
            Task(
                id=task.id,
                description=task.description,
                state=task.state,
                node_id=f"OctopusServerNodes-{task.node}",
                started=iso(task.started),
                waits_for_person=self._lab.waits_for_person(task),
            )
            for task in self._lab.tasks()
            if task.running
        )

    async def cancel_task(self, task_id: str) -> None:
        await self._ready("cancel-task")
        self._lab.cancel_task(task_id)
        self._hook("after", "server cancel-task")

    async def serving(self, base_url: str = "") -> Serving:
        node = base_url.removeprefix("https://").removesuffix(".lab").upper() or self._node
        self._hook("before", f"server serving {node}")
        state = self._lab.rest_state(node)
        if state != "up":
            words = {"refused": "nobody answers", "booting": "HTTP 503, it is starting"}
            return Serving("", False, words[state])
        return Serving(self._lab.serving_version(node), True, "")

    async def smoke(self, url: str, expect: int, timeout: float) -> str:
        self._hook("before", f"server smoke {url}")
        up = any(self._lab.rest_state(name) == "up" for name in self._lab.node_names)
        status = 200 if up else 503
        return "" if status == expect else f"HTTP {status}, not {expect}"

    async def close(self) -> None: ...

    async def _ready(self, call: str) -> None:
        """Waits as the product's client does. Raises ServerNotReady."""
        self._hook("before", f"server {call}")
        until = self._lab.schedule.clock.now() + NOT_READY_PATIENCE
        if not await self._waiter.until(lambda: self._lab.rest_state(self._node) == "up", until):
            raise ServerNotReady(f"{self._node.lower()}.lab is not ready: nobody answers")


class PortNode:
    """``NodeOperations`` of one node of the lab; ``machine`` outlives it, as a machine does."""

    def __init__(
        self,
        lab: World,
        name: str,
        machine: Machine,
        waiter: Waiter,
        shelf: Shelf,
        hook: Hook = nothing_happens,
    ) -> None:
        self.name = name
        self._lab = lab
        self._machine = machine
        self._waiter = waiter
        self._shelf = shelf
        self._hook = hook

    # --- the port ------------------------------------------------------------------------------

    async def facts(self) -> NodeFacts:
        self._reach("facts")
        node = self._installed_node()
        await self._show_configuration()
        full = self._lab.fault(self.name, "disk-full") is not None
        free = installer.DISK_FULL_FREE if full else 85 * 1024**3
        return NodeFacts(
            node=self.name,
            computer=self.name,
            os="Microsoft Windows Server 2022 Standard 10.0.20348",
            powershell="5.1.20348.2849",
            identity=ACCOUNT,
            elevated=True,
            time=self._lab.schedule.now,
            boot_time=node.boot_time,
            install_directory=install_directory(node),
            version=node.version,
            signer=node.signer,
            product_code=node.product_code,
            instances=(self._instance(node),),
            services=self._services(),
            watchdog=self._watchdog(),
            disks=(Disk("C:", free, 128 * 1024**3, ("install", "home", "staging")),),
            pending_reboot=tuple(node.pending_reboot),
            installer_busy=installer.busy(self._lab.cluster, node),
            octotui_directory=self._directory,
        )

    async def services(self) -> Services:
        self._reach("services")
        found = self._services()
        self._hook("after", f"{self.name} services")
        return found

    async def prove_file(self, path: str, sha256: str, signer: str) -> FileProof:
        self._reach("prove-file")
        found = self._machine.files.get(path)
        if found is None:
            reasons = ("the file does not exist",)
            return FileProof(path, False, 0, "", "", "", False, reasons)
        package = self._lab.catalogue.by_hash(found)
        status, signed_by = ("Valid", package.signer) if package else ("HashMismatch", "")
        if package is not None:
            self._lab.file_proved(self.name, package.sha256)
        wanted = signer
        if signer == "same-as-installed":
            wanted = self._installed_node().signer
        reasons = tuple(
            reason
            for reason, holds in (
                ("its hash is not the one expected", found != sha256),
                (f"its signature is {status}", status != "Valid"),
                (f"its signer is {signed_by}, not {wanted}", signed_by != wanted),
            )
            if holds
        )
        proof = FileProof(path, True, 1, found, status, signed_by, not reasons, reasons)
        self._hook("after", f"{self.name} prove-file")
        return proof

    async def park(self) -> Parked:
        self._reach("park")
        if self._machine.parked is None:
            services = tuple(
                ParkedService(s.name, s.instance, s.state, s.start_type)
                for s in self._services().services
            )
            self._machine.parked = Parked(services, self._watchdog())
        for task in self._watchdog():
            if task.enabled:
                self._lab.set_watchdog(self.name, False)
        self._lab.set_start_type(self.name, "disabled")
        self._hook("after", f"{self.name} park")
        return self._machine.parked

    async def unpark(self) -> Parked:
        self._reach("unpark")
        found = self._machine.parked
        if found is None:
            return Parked((), ())
        for service in found.services:
            self._lab.set_start_type(self.name, service.start_type)
        for task in found.watchdog:
            self._lab.set_watchdog(self.name, task.enabled)
        self._machine.parked = None
        self._hook("after", f"{self.name} unpark")
        return found

    async def start_job(self, job_id: str, kind: JobKind, parameters: Mapping[str, Any]) -> Job:
        self._reach(f"job-start {kind}")
        if job_id not in self._machine.jobs:
            record = self._machine.jobs[job_id] = JobRecord(kind)
            work = self._run(record, job_id, dict(parameters))
            record.task = asyncio.get_running_loop().create_task(work)
        elif self._machine.jobs[job_id].kind != kind:
            raise NodeError(f"job {job_id} was started as another kind", code="job-conflict")
        answer = self._answer(job_id, 0)
        self._hook("after", f"{self.name} job-start {kind}")
        return answer

    async def job(self, job_id: str, *, offset: int = 0, wait: float = 0.0) -> Job:
        record = self._machine.jobs.get(job_id)
        call = f"job-status {record.kind if record else 'absent'}"
        self._reach(call)
        if record is not None and wait > 0:

            def news() -> bool:
                return record.state != "running" or len(record.output) > offset

            await self._waiter.until(news, self._lab.schedule.clock.now() + wait)
            if record.state == "running" and news():
                await self._sleep(OUTPUT_PAUSE)
        answer = self._answer(job_id, offset)
        self._hook("after", f"{self.name} {call}")
        return answer

    async def request(self, instance: str, path: str, api_key: str = "") -> LocalAnswer:
        self._reach(f"request {path}")
        self._known_instance(instance)
        await self._show_configuration()
        state = self._lab.rest_state(self.name)
        if state != "up":
            return LocalAnswer({"refused": 0, "booting": 503}[state], "")
        version = self._lab.serving_version(self.name)
        return LocalAnswer(200, json.dumps({"Version": version}))

    async def log(self, path: str, *, limit: int = 65536) -> str:
        self._reach("log")
        return self._machine.logs.get(path, "")[-limit:]

    async def unstage(self, file_names: tuple[str, ...]) -> None:
        self._reach("unstage")
        for name in file_names:
            self._machine.files.pop(self._package_path(name), None)
        self._hook("after", f"{self.name} unstage")

    async def close(self) -> None: ...

    # --- reading -------------------------------------------------------------------------------

    def _reach(self, call: str) -> None:
        if self._lab.take_fault(self.name, "unreachable") is not None:
            raise Unreachable(f"{self.name} refuses the connection", node=self.name)
        if self._lab.take_fault(self.name, "wrong-credentials") is not None:
            raise CredentialsRefused(f"{self.name} refuses the account", node=self.name)
        self._hook("before", f"{self.name} {call}")

    @property
    def _node(self) -> Node:
        return self._lab.cluster.nodes[self.name]

    @property
    def _directory(self) -> str:
        return f"{self._node.root}/ProgramData/octotui"

    def _package_path(self, file_name: str) -> str:
        return f"{self._directory}/packages/{file_name}"

    def _installed_node(self) -> Node:
        node = self._node
        if not node.version:
            raise NodeError(
                "Octopus Server is not installed on this host",
                code="not-installed",
                node=self.name,
            )
        return node

    async def _show_configuration(self) -> None:
        """Reads the configuration, with the server's own program. Raises NodeError."""
        if self._installed_node().missing_files:
            raise NodeError("the configuration of the instance cannot be read", node=self.name)
        await self._finish(
            self._lab.start_octopus_server(self.name, ["show-configuration"], ACCOUNT)
        )

    def _instance(self, node: Node) -> Instance:
        database = self._lab.cluster.database
        return Instance(
            name=INSTANCE,
            node_name=self.name,
            home=server_verbs.home(node),
            config_file=server_verbs.configuration_file(node),
            listen_prefixes=node.listen_prefixes,
            database_server=database.server,
            database_name=database.name,
        )

    def _services(self) -> Services:
        node = self._node
        service = node.service
        processes = [
            Process(program.id, program.arguments[0])
            for program in node.programs.values()
            if program.name == "Octopus.Server"
        ]
        if service.process_id:
            processes.append(Process(service.process_id, "run"))
        return Services(
            (
                Service(
                    SERVICE,
                    INSTANCE,
                    service.state,
                    service.start_type,
                    service.process_id,
                    SERVICE_ACCOUNT,
                ),
            ),
            tuple(sorted(processes, key=lambda process: process.process_id)),
        )

    def _watchdog(self) -> tuple[WatchdogTask, ...]:
        enabled = self._node.watchdog_enabled
        return () if enabled is None else (WatchdogTask(WATCHDOG_TASK, enabled),)

    # --- jobs ----------------------------------------------------------------------------------

    def _answer(self, job_id: str, offset: int) -> Job:
        record = self._machine.jobs.get(job_id)
        if record is None:
            return Job(job_id, "absent", None, {}, "", offset)
        output = record.output[offset:]
        ended = record.state == "ended"
        return Job(
            job_id,
            record.state,
            record.exit_code if ended else None,
            record.result if ended else {},
            output,
            offset + len(output),
        )

    async def _run(self, record: JobRecord, job_id: str, parameters: dict[str, Any]) -> None:
        kinds: dict[str, Callable[[JobRecord, str, dict[str, Any]], Awaitable[int]]] = {
            "stage": self._stage,
            "stop": self._stop,
            "start": self._start,
            "msi-install": self._msi_install,
            "msi-uninstall": self._msi_uninstall,
            "database-state": self._database_state,
            "database-upgrade": self._database_upgrade,
            "backup": self._backup,
        }
        exclusive = record.kind in _EXCLUSIVE
        if exclusive and self._machine.busy:
            record.exit_code, record.result = 1, {"problem": "busy"}
        else:
            self._machine.busy = self._machine.busy or exclusive
            try:
                record.exit_code = await kinds[record.kind](record, job_id, parameters)
            except NodeError as error:
                record.exit_code, record.result = 1, {"problem": error.what}
            finally:
                self._machine.busy = self._machine.busy and not exclusive
        record.state = "ended"
        self._lab.schedule.changed()

    def _known_instance(self, name: object) -> None:
        """Raises NodeError for an instance that the host does not have."""
        if name != INSTANCE:
            raise NodeError(
                f"there is no instance {name} on this host", code="no-such-instance", node=self.name
            )

    def _write(self, record: JobRecord, line: str) -> None:
        record.output += f"{line}\n"
        self._lab.schedule.changed()

    async def _finish(self, program: Program, record: JobRecord | None = None) -> int:
        """Waits for a program's end; its lines go into the job's output as they come."""

        def line(text: str) -> None:
            if record is not None:
                self._write(record, text)

        if record is None:
            await self._waiter.until(lambda: program.exit_code is not None)
        else:
            await self._waiter.stream(program.lines, lambda: program.exit_code is not None, line)
        assert program.exit_code is not None
        return program.exit_code

    async def _stage(self, record: JobRecord, _: str, parameters: dict[str, Any]) -> int:
        name, wanted = parameters["file_name"], parameters["sha256"]
        path = self._package_path(name)
        if self._machine.files.get(path) != wanted:
            seconds = self._lab.cluster.seconds(self._node, self._lab.cluster.durations.stage)
            await self._sleep(seconds)
            found = self._shelf.arrives(str(parameters["url"]), name)
            if found != wanted:
                problem = f"{name} has the hash {found}, not {wanted}"
                record.result = {"path": path, "sha256": "", "size": 0, "problem": problem}
                return 1
            self._machine.files[path] = found
            self._lab.file_staged(self.name, name, found, 1)
        record.result = {"path": path, "sha256": wanted, "size": 1, "problem": ""}
        return 0

    async def _stop(self, record: JobRecord, _: str, parameters: dict[str, Any]) -> int:
        deadline = self._lab.schedule.clock.now() + parameters["timeout"]
        if self._node.service.state != "stopped":
            await self._verb(record, "--stop")

        def stopped() -> bool:
            now = self._services()
            return now.services[0].state == "stopped" and all(
                process.verb in READ_ONLY_VERBS for process in now.processes
            )

        problem = ""
        if not await self._waiter.until(stopped, deadline):
            problem = "not every Octopus service and process was gone within the time limit"
        record.result = {"problem": problem}
        return 1 if problem else 0

    async def _start(self, record: JobRecord, _: str, parameters: dict[str, Any]) -> int:
        deadline = self._lab.schedule.clock.now() + parameters["timeout"]
        parked = self._machine.parked
        if parked is not None and all(s.state == "stopped" for s in parked.services):
            record.result = {"problem": "no service was to be started: none ran when parked"}
            return 1
        if self._node.service.start_type == "disabled":
            self._lab.set_start_type(self.name, "manual")
        if self._node.service.state != "running":
            await self._verb(record, "--start")
        running = await self._waiter.until(
            lambda: self._lab.cluster.nodes[self.name].service.state == "running", deadline
        )
        problem = "" if running else "not every Octopus service was running within the time limit"
        record.result = {"problem": problem}
        return 1 if problem else 0

    async def _verb(self, record: JobRecord, option: str) -> None:
        self._installed_node()
        arguments = ["service", option, f"--instance={INSTANCE}"]
        await self._finish(self._lab.start_octopus_server(self.name, arguments, ACCOUNT), record)

    async def _msi_install(self, record: JobRecord, job: str, parameters: dict[str, Any]) -> int:
        path, wanted = parameters["path"], parameters["version"]
        log = f"{self._directory}/jobs/{job}/msi.log"
        record.result = {"version": "", "product_code": "", "log": log, "missing": []}
        if self._machine.files.get(path) != parameters["sha256"]:
            record.result["problem"] = f"{path} has another hash"
            return 1
        properties = ["RUNMANAGERONEXIT=no", f'INSTALLLOCATION="{parameters["install_directory"]}"']
        node = self._node
        if node.product_code and node.version in ("", wanted):
            properties += ["REINSTALL=ALL", "REINSTALLMODE=amus"]
        code = await self._msiexec(["/i", f'"{path}"'], log, properties)
        node = self._node
        record.result.update(
            version=node.version,
            product_code=node.product_code,
            missing=list(node.missing_files),
            problem="" if code in _INSTALLED else f"msiexec ended with {code}",
        )
        return code

    async def _msi_uninstall(self, record: JobRecord, job: str, parameters: dict[str, Any]) -> int:
        log = f"{self._directory}/jobs/{job}/msi.log"
        code = await self._msiexec(["/x", parameters["product_code"]], log, [])
        problem = "" if code in _INSTALLED else f"msiexec ended with {code}"
        record.result = {"log": log, "problem": problem}
        return code

    async def _msiexec(self, what: list[str], log: str, properties: list[str]) -> int:
        arguments = [*what, "/quiet", "/norestart", "/l*v", f'"{log}"', *properties]
        sha256 = self._machine.files.get(parse(arguments).package)
        program = self._lab.start_msiexec(self.name, arguments, ACCOUNT, sha256)
        code = await self._finish(program)
        self._machine.logs[log] = "\n".join(program.log)
        return code

    async def _database_state(self, record: JobRecord, _: str, parameters: dict[str, Any]) -> int:
        self._known_instance(parameters["instance"])
        await self._show_configuration()
        cluster = self._lab.cluster
        database = cluster.database
        state: dict[str, Any] = {
            "reachable": False,
            "problem": "",
            "identity": ACCOUNT,
            "db_owner": False,
            "server": database.server,
            "database": database.name,
            "server_version": "",
            "history": (),
            "nodes": (),
            "migrator_running": any(p.verb == "database" for p in self._services().processes),
        }
        found = []
        for text in (
            "SELECT IS_MEMBER('db_owner') AS owner",
            "SELECT Version, Installed FROM dbo.OctopusServerInstallationHistory",
            "SELECT Name, LastSeen FROM dbo.OctopusServerNode",
        ):
            statement = self._lab.start_sql(self.name, text, ACCOUNT)
            await self._waiter.until(lambda statement=statement: statement.done)
            if statement.error:
                record.result = {"state": {**state, "problem": statement.error}, "problem": ""}
                return 0
            found.append(statement.rows)
        (owner,), history, nodes = found
        state.update(
            reachable=True,
            db_owner=owner["owner"] == 1,
            server_version=database.product_version,
            history=[{"version": r["Version"], "installed": r["Installed"]} for r in history],
            nodes=[{"name": r["Name"], "last_seen": r["LastSeen"]} for r in nodes],
        )
        record.result = {"state": state, "problem": ""}
        return 0

    async def _database_upgrade(self, record: JobRecord, _: str, parameters: dict[str, Any]) -> int:
        self._known_instance(parameters["instance"])
        self._installed_node()
        program = self._lab.start_octopus_server(
            self.name, ["database", "--upgrade", f"--instance={INSTANCE}"], ACCOUNT
        )
        code = await self._finish(program, record)
        record.result = {"problem": f"the database upgrade ended with {code}" if code else ""}
        return code

    async def _backup(self, record: JobRecord, job: str, parameters: dict[str, Any]) -> int:
        self._known_instance(parameters["instance"])
        await self._show_configuration()
        clock, name = self._lab.schedule.clock, self._lab.cluster.database.name
        file = f"{parameters['path']}/{job}.bak"
        record.result = {"file": file, "database": name, "started": clock.now(), "verified": False}
        self._write(record, f"backing up {name} to {file}")
        for text in (
            f"BACKUP DATABASE [{name}] TO DISK = N'{file}' WITH COPY_ONLY, CHECKSUM",
            f"RESTORE VERIFYONLY FROM DISK = N'{file}' WITH CHECKSUM",
        ):
            statement = self._lab.start_sql(self.name, text, ACCOUNT)
            await self._waiter.until(lambda statement=statement: statement.done)
            record.result["finished"] = clock.now()
            if statement.error:
                record.result["problem"] = statement.error
                return 1
        record.result.update(verified=True, problem="")
        return 0

    async def _sleep(self, seconds: float) -> None:
        clock = self._lab.schedule.clock
        await sleep_until(clock, clock.now() + seconds)
