"""Whole upgrades without sockets, in virtual time, judged by the lab's ground truth.

Everything of the product is real but the wire: runner, journal, steps, the typed caller of the
agent, the REST client, the first-party checks and backup.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from octotui.api.errors import SourceError
from octotui.api.events import Event
from octotui.api.source import Package, Progress, Release
from octotui.api.transport import Transport
from octotui.octopus import open_server
from octotui.plugins import Plugins
from octotui.run.journal import Journal
from octotui.run.logs import NodeLogs
from octotui.run.preflight import RunSettings
from octotui.run.runner import Runner
from octotui.upgrade.plan import Options
from octotui.upgrade.steps.base import World
from octotui.windows import RunAsSystem, WindowsNode
from octotui_lab.catalogue import load_catalogue
from octotui_lab.hosts import WindowsHost
from octotui_lab.inprocess import Hook, InProcessTransport, no_faults
from octotui_lab.inprocess_http import BALANCER_HOST, InProcessHttp, node_host
from octotui_lab.octopus_messages import ApiSettings
from octotui_lab.waiting import Waiter
from octotui_lab.world import World as LabWorld
from tests.virtual_time import EPOCH, VirtualClock, run_virtually

KEY = "API-LAB"
TARGET = "2025.4.10428"
INSTALLED = "2025.2.13071"
PACKAGES = Path(__import__("octotui_lab").__file__).parent / "packages"


class LoopClock:
    """The lab's clock on the virtual loop."""

    speed = 1.0

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, when - self.now()), callback)


class Shelf:
    """A source, and the nodes' network: the lab's real packages, without a wire."""

    def __init__(self, spoil: Callable[[bytes], bytes] = lambda data: data) -> None:
        self.spoil = spoil
        self.catalogue = load_catalogue()

    async def releases(self) -> Sequence[Release]:
        return [Release(p.version, p.released) for p in self.catalogue.packages]

    async def locate(self, version: str) -> Package:
        found = self.catalogue.by_version(version)
        if found is None:
            raise SourceError(f"there is no {version}")
        url = f"https://download.lab/{found.file_name}"
        return Package(version, found.file_name, url, found.sha256, found.size)

    async def download(self, package: Package, to: Any, progress: Any) -> Any:
        if isinstance(package, Package):
            return await self._download_here(package, to, progress)
        name = str(package).rpartition("/")[2]
        to.write_bytes(self.spoil((PACKAGES / name).read_bytes()))
        progress(to.stat().st_size)
        return None

    async def _download_here(self, package: Package, to: Path, progress: Progress) -> Package:
        to.write_bytes((PACKAGES / package.file_name).read_bytes())
        progress(package.size or 0, package.size)
        return package

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        return 0, ""

    async def close(self) -> None: ...


@dataclass
class Outcome:
    """What became of a run. ``truth`` is the lab's, at the end."""

    code: int
    events: list[Event]
    truth: dict[str, Any]

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def state(self) -> str:
        return str(self.last.data["outcome"])

    @property
    def lines(self) -> str:
        return "\n".join(self.last.data["lines"])

    def actions(self, *names: str) -> list[tuple[str, str | None]]:
        """The lab's changing actions in order, of these names only."""
        return [
            (a["action"], a["node"])
            for a in self.truth["actions"]
            if not names or a["action"] in names
        ]

    def nodes(self, key: str) -> dict[str, Any]:
        return {name: node[key] for name, node in self.truth["nodes"].items()}


@dataclass
class Simulation:
    """One estate and the runs against it. Use inside ``run_virtually`` only."""

    folder: Path
    nodes: int = 3
    faults: Sequence[str] = ()
    maintenance: bool = False
    hooks: dict[str, Hook] = field(default_factory=dict)
    plugins: Plugins = field(default_factory=Plugins.load)
    #: Replaces the transport to a node, given the in-process one.
    transport: Callable[[str, InProcessTransport], Transport] = lambda name, own: own
    settings: dict[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    spoil: Callable[[bytes], bytes] = lambda data: data

    def __post_init__(self) -> None:
        self.lab = LabWorld.create(
            self.nodes,
            clock=LoopClock(),
            faults=self.faults,
            root=str(self.folder / "estate"),
            maintenance=self.maintenance,
        )
        waiter = Waiter(self.lab.schedule)
        self.shelf = Shelf(self.spoil)
        self.hosts = {
            name: WindowsHost(self.lab, name, waiter=waiter, network=self.shelf)  # type: ignore[arg-type]
            for name in self.lab.node_names
        }

    def world(self, run_id: str) -> World:
        api = InProcessHttp(self.lab, ApiSettings(KEY))
        nodes = {}
        for name, host in self.hosts.items():
            own = InProcessTransport(host, hook=self.hooks.get(name, no_faults))
            transport = self.transport(name, own)
            nodes[name] = WindowsNode(name, transport, run_id=run_id, run_as=RunAsSystem())
        backup = self.plugins.backups["node"]
        first = self.run_settings().first_node
        key = SecretStr(KEY)
        return World(
            server=open_server(f"http://{node_host(first)}", key, ca=None, transport=api),
            nodes=nodes,
            source=self.shelf,
            backup=backup.open(backup.settings(path=str(self.folder)), None),  # type: ignore[arg-type]
            cache=self.folder / "cache",
            api_key=key,
            clock=VirtualClock(),
        )

    def run_settings(self) -> RunSettings:
        names = self.lab.node_names
        defaults = RunSettings(
            profile="simulated.toml",
            cluster_url=f"http://{BALANCER_HOST}",
            to="latest",
            first_node=names[0],
            instances=dict.fromkeys(names, "OctopusServer"),
            urls={name: f"http://{node_host(name)}" for name in names},
            options=self.options,
            smoke=(),
            backup_kind="node",
            approved=True,
            attended=False,
            backs_out=True,
            hold=(),
            waived=(),
        )
        return replace(defaults, **self.settings)

    def journal(self, run_id: str = "run-1") -> Journal:
        (self.folder / "cache").mkdir(exist_ok=True)
        journal = Journal(self.folder / f"{run_id}.db", run_id, now=VirtualClock().time)
        journal._db.execute("PRAGMA synchronous=OFF")  # the disk's patience is not under test
        return journal

    async def upgrade(
        self, run_id: str = "run-1", during: Callable[[Journal], Any] | None = None
    ) -> Outcome:
        """Runs, or resumes, to the end. ``during`` is a coroutine function beside the run."""
        journal = self.journal(run_id)
        logs = NodeLogs(self.folder / "logs")
        beside = asyncio.ensure_future(during(journal)) if during else None
        try:
            async with self.world(run_id) as world:
                runner = Runner(journal, logs, world, self.plugins, self.run_settings())
                code = await runner.run()
        finally:
            if beside:
                beside.cancel()
            for host in self.hosts.values():
                await host.close()
        events = list(journal.events())
        journal.close()
        return Outcome(code, events, self.lab.truth(final=True))


def simulate(folder: Path, **settings: Any) -> Outcome:
    """One unattended upgrade in virtual time. Arguments are Simulation's."""

    async def run() -> Outcome:
        return await Simulation(folder, **settings).upgrade()

    return run_virtually(run())


async def until(journal: Journal, condition: Callable[[Event], bool]) -> Event:
    """Waits until the journal holds an event for which the condition holds."""
    seen = 0
    while True:
        for event in journal.events(seen):
            seen = event.seq
            if condition(event):
                return event
        await asyncio.sleep(0.2)
