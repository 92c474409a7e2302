"""The state of the simulated cluster: what there is, without how it behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from octotui_lab.catalogue import PUBLISHER, Catalogue
from octotui_lab.faults import FaultSet
from octotui_lab.schedule import Following, Schedule

if TYPE_CHECKING:
    from octotui_lab.model.program import Program
    from octotui_lab.rules import Rules
    from octotui_lab.truth import Action, GroundTruth

ServiceState = Literal["running", "stopped", "starting", "stopping"]
TaskState = Literal["Executing", "Cancelling", "Canceled", "Success", "Failed"]
StartType = Literal["automatic", "automatic-delayed", "manual", "disabled"]

INSTANCE = "OctopusServer"
SERVICE = "OctopusDeploy"
WATCHDOG_TASK = "Octopus Watchdog OctopusServer"
SERVICE_ACCOUNT = "OCTOLAB\\svc-octopus"

#: What the package lays into the install directory, besides the manifest that lists it.
PACKAGE_FILES = (
    "Octopus.Server.exe",
    "Octopus.Server.dll",
    "Octopus.Core.dll",
    "Octopus.Manager.exe",
    "Octopus.Server.exe.nlog",
)


@dataclass(frozen=True, slots=True)
class Durations:
    """Typical durations in lab seconds (``safety.md``, downtime model)."""

    stage: float = 15.0
    stop: float = 20.0
    backup: float = 50.0
    #: Backup and verification together are the 60 s of the model.
    backup_verify: float = 10.0
    msi: float = 75.0
    database_upgrade: float = 120.0
    start: float = 60.0
    drain: float = 30.0
    #: From the start request until the service counts as Running.
    service_running: float = 5.0
    #: A clean stop is noticed by the other nodes this much later.
    offline_lag: float = 3.0
    #: How long a server process lives that must not or cannot serve.
    failing_process: float = 10.0
    #: From being idle to the next task of the queue.
    task_pick_up: float = 20.0
    task_cancel: float = 2.0
    #: From the start of ``Octopus.Server.exe show-configuration`` to its end.
    show_configuration: float = 3.0
    watchdog_interval: float = 300.0
    heartbeat: float = 60.0


@dataclass(slots=True)
class Service:
    """The Windows service of a node's instance and its server process."""

    state: ServiceState = "stopped"
    start_type: StartType = "automatic"
    process_id: int = 0
    #: Version of the binaries that the process was started from; empty without a process.
    version: str = ""
    serving: bool = False
    process_started: float = 0.0
    course: Following | None = None
    #: The request, other than the MSI's own, that the service is stopping for.
    stop_action: Action | None = None


@dataclass(slots=True)
class Node:
    """One Windows host. ``version`` empty: Octopus Server is not installed."""

    name: str
    scope: str
    root: str
    version: str
    product_code: str
    boot_time: float
    missing_files: tuple[str, ...] = ()
    signer: str = PUBLISHER
    service: Service = field(default_factory=Service)
    #: None: the scheduled task does not exist.
    watchdog_enabled: bool | None = True
    programs: dict[int, Program] = field(default_factory=dict)
    #: When each file, by hash, was proved here with a valid signature.
    proved: dict[str, float] = field(default_factory=dict)
    pending_reboot: list[str] = field(default_factory=list)
    #: When the last server process was gone.
    stopped_at: float = 0.0
    drain_waived: bool = False
    listen_prefixes: tuple[str, ...] = ()
    installs: int = 0
    next_process_id: int = 1000

    def new_process_id(self) -> int:
        self.next_process_id += 4
        return self.next_process_id

    @property
    def msi_running(self) -> bool:
        return any(program.name == "msiexec" for program in self.programs.values())


@dataclass(slots=True)
class NodeRow:
    """A node's row in the database. ``alive_until`` None while its process sends heartbeats."""

    draining: bool = False
    task_cap: int = 5
    last_seen: float = 0.0
    heartbeats_since: float | None = None
    alive_until: float = 0.0


@dataclass(slots=True)
class BackupFile:
    """A full backup: what was in it, and whether it was proved."""

    file: str
    action: Action
    node: str
    started: float
    finished: float
    schema_version: str
    maintenance: bool
    history: tuple[tuple[str, float], ...]
    verified: bool = False


@dataclass(slots=True)
class Database:
    """The one database of the cluster."""

    schema_version: str
    history: list[tuple[str, float]]
    rows: dict[str, NodeRow]
    server: str = "SQL1"
    name: str = "Octopus"
    product_version: str = "16.0.4135.4"
    maintenance: bool = False
    backups: list[BackupFile] = field(default_factory=list)
    upgrades: int = 0
    #: Successful upgrades since the whole cluster last served outside of maintenance mode.
    upgrades_in_window: int = 0
    #: The node on which the schema is being upgraded now.
    upgrading_on: str = ""


@dataclass(slots=True)
class ServerTask:
    """A server task. Times in epoch seconds; ``node`` is a node's name."""

    id: str
    description: str
    state: TaskState
    node: str
    queued: float
    started: float
    ended: float | None = None

    @property
    def running(self) -> bool:
        return self.state in {"Executing", "Cancelling"}


@dataclass(slots=True)
class Cluster:
    """Everything there is. The behaviours in this package are given it and change it."""

    schedule: Schedule
    catalogue: Catalogue
    faults: FaultSet
    durations: Durations
    nodes: dict[str, Node]
    database: Database
    truth: GroundTruth
    rules: Rules
    #: What was installed when the lab came up; packages newer than that count as installs.
    initial_version: str
    tasks: list[ServerTask] = field(default_factory=list)
    initial_maintenance: bool = False

    @property
    def now(self) -> float:
        return self.schedule.now

    def seconds(self, node: Node, lab_seconds: float) -> float:
        """How many lab seconds something takes on a node that may be slow."""
        return lab_seconds * self.faults.factor(node.scope, "slow")

    def running_tasks(self, node: str) -> list[ServerTask]:
        return [task for task in self.tasks if task.node == node and task.running]
