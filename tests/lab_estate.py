"""A lab without sockets and without built packages, for tests of the lab's own heart."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octotui_lab.agent import answer
from octotui_lab.catalogue import Catalogue, LabPackage
from octotui_lab.clock import Clock, ManualClock
from octotui_lab.hosts import WindowsHost
from octotui_lab.model.msi_arguments import install_directory
from octotui_lab.waiting import Waiter
from octotui_lab.world import World

OLD = "2025.2.13071"
PATCH = "2025.2.13099"
NEW = "2025.3.14287"


def package_bytes(version: str) -> bytes:
    """What stands for the MSI of a version."""
    return f"MSI of {version}".encode()


def package(version: str) -> LabPackage:
    data = package_bytes(version)
    return LabPackage(
        version=version,
        file_name=f"Octopus.{version}-x64.msi",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        product_code="{" + str(uuid.uuid5(uuid.NAMESPACE_URL, version)).upper() + "}",
        released="2025-06-01",
    )


CATALOGUE = Catalogue(package(version) for version in (OLD, PATCH, NEW))


@dataclass
class Site:
    """A network that has the packages, changed by ``spoil``, and nothing else."""

    spoil: Callable[[bytes], bytes] = lambda data: data
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        self.asked.append((url, headers))
        return self.answers.get(url, (0, ""))

    async def download(self, url: str, to: Path, progress: Callable[[int], None]) -> None:
        version = url.rpartition("Octopus.")[2].removesuffix("-x64.msi")
        if CATALOGUE.by_version(version) is None:
            raise OSError("the remote server returned status 404")
        data = self.spoil(package_bytes(version))
        to.write_bytes(data)
        progress(len(data))


def world(clock: Clock, nodes: int = 3, *faults: str, root: str = "/lab", **more: Any) -> World:
    return World.create(nodes, clock=clock, faults=faults, root=root, catalogue=CATALOGUE, **more)


@dataclass
class Operator:
    """Does the steps of an upgrade to a world whose clock stands still, rightly unless told."""

    world: World
    clock: ManualClock

    def drain_all(self) -> None:
        self.world.set_maintenance(True)
        for name in self.world.node_names:
            self.world.set_node(name, draining=True, task_cap=5)
        self.pass_time(31)

    def park_all(self) -> None:
        for name in self.world.node_names:
            self.world.set_watchdog(name, False)
            self.world.set_start_type(name, "disabled")

    def stop_all(self) -> None:
        for name in self.world.node_names:
            self.stop(name)
        self.pass_time(21)

    def close(self) -> None:
        """Everything up to the moment at which nothing runs any more."""
        self.drain_all()
        self.park_all()
        self.stop_all()

    def back_up(self) -> None:
        device = "DISK = N'/backup/Octopus.bak'"
        self.sql(f"BACKUP DATABASE [Octopus] TO {device} WITH COPY_ONLY, CHECKSUM, FORMAT")
        self.sql(f"RESTORE VERIFYONLY FROM {device} WITH CHECKSUM")

    def sql(self, text: str, node: str = "OCTO1") -> Any:
        statement = self.world.start_sql(node, text, "OCTOLAB\\admin")
        self.pass_time(60)
        return statement

    def install(self, node: str = "OCTO1", version: str = PATCH, prove: bool = True) -> int | None:
        wanted = package(version)
        if prove:
            self.world.file_proved(node, wanted.sha256)
        program = self.world.start_msiexec(node, self.msi_arguments(node), "admin", wanted.sha256)
        self.pass_time(80)
        return program.exit_code

    def msi_arguments(self, node: str) -> list[str]:
        directory = install_directory(self.world.cluster.nodes[node])
        return [
            "/i",
            f"/staged/{node}.msi",
            "/quiet",
            "/norestart",
            "/l*v",
            "msi.log",
            "RUNMANAGERONEXIT=no",
            f'INSTALLLOCATION="{directory}"',
        ]

    def server(self, node: str, *arguments: str, seconds: float = 0.0) -> Any:
        program = self.world.start_octopus_server(node, arguments, "admin")
        self.pass_time(seconds)
        return program

    def stop(self, node: str) -> None:
        self.server(node, "service", "--stop")

    def upgrade_database(self, node: str = "OCTO1") -> Any:
        return self.server(node, "database", "--upgrade", seconds=125)

    def start(self, node: str = "OCTO1") -> None:
        self.world.set_start_type(node, "manual")
        self.server(node, "service", "--start", seconds=65)

    def pass_time(self, lab_seconds: float) -> None:
        self.clock.advance(lab_seconds / self.clock.speed)
        self.world.advance()

    @property
    def broken(self) -> list[str]:
        """The rules that were broken so far, in order."""
        return [violation["rule"] for violation in self.world.truth()["violations"]]

    def actions(self, *names: str) -> list[tuple[str, str | None]]:
        return [
            (action["action"], action["node"])
            for action in self.world.truth()["actions"]
            if action["action"] in names
        ]


@dataclass
class Caller:
    """Calls the Python agent of one host."""

    host: WindowsHost
    user: str = "OCTOLAB\\admin"

    async def told(self, operation: str, **parameters: Any) -> dict[str, Any]:
        request = {"run": "run-1", "parameters": parameters}
        line = base64.b64encode(json.dumps(request).encode())
        return read_answer(await answer(self.host, operation, line, self.user))

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        told = await self.told(operation, **parameters)
        assert told["ok"], told
        result: dict[str, Any] = told["result"]
        return result

    async def job(self, job_id: str, kind: str, **parameters: Any) -> dict[str, Any]:
        """Starts a job and follows it to its end; ``output`` is all of it."""
        job = await self.call(
            "job-start", id=job_id, kind=kind, parameters=parameters, run_as={"kind": "system"}
        )
        output = job["output"]
        while job["state"] == "running":
            job = await self.call("job-status", id=job_id, offset=job["next_offset"], wait=30)
            output += job["output"]
        return {**job, "output": output}


def read_answer(printed: str) -> dict[str, Any]:
    """The answer between the markers."""
    start, line, end = printed.splitlines()
    assert (start, end) == ("<<<octotui-answer", "octotui-answer>>>")
    told: dict[str, Any] = json.loads(line)
    return told


def hosts(of: World, site: Site | None = None) -> dict[str, WindowsHost]:
    waiter = Waiter(of.schedule)
    return {
        name: WindowsHost(of, name, waiter=waiter, network=site or Site()) for name in of.node_names
    }
