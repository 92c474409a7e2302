"""Facts: everything read about a cluster and its nodes in one pass.

Facts are read by the application and given to checks, interlocks and screens, which only look at
them. Times are wall-clock seconds since the epoch, sizes bytes, versions the literal text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from octotui.api.source import Package

ServiceState: TypeAlias = Literal["running", "stopped", "starting", "stopping", "absent"]
StartType: TypeAlias = Literal["automatic", "automatic-delayed", "manual", "disabled"]
JobState: TypeAlias = Literal["absent", "running", "ended", "lost"]


#: Verbs of Octopus.Server.exe that only read: neither a server nor a migrator, whoever runs them.
#: octotui itself runs ``show-configuration`` on nodes that it has stopped.
READ_ONLY_VERBS = frozenset({"show-configuration", "version", "list-instances"})


@dataclass(frozen=True, slots=True)
class Service:
    """One Windows service that runs Octopus.Server.exe. One exists for each instance."""

    name: str
    instance: str
    state: ServiceState
    start_type: StartType
    process_id: int
    account: str


@dataclass(frozen=True, slots=True)
class Process:
    """A running Octopus.Server.exe. ``verb`` is its first argument: run, database, service, ..."""

    process_id: int
    verb: str


@dataclass(frozen=True, slots=True)
class Services:
    """The Octopus services and processes of one node, as they are now."""

    services: tuple[Service, ...]
    processes: tuple[Process, ...]

    @property
    def proved_stopped(self) -> bool:
        """No service in any state but stopped, and no process that serves or migrates, or may."""
        return all(process.verb in READ_ONLY_VERBS for process in self.processes) and all(
            service.state == "stopped" for service in self.services
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """An Octopus instance on a node, from its configuration. The connection string is not kept."""

    name: str
    node_name: str
    home: str
    config_file: str
    listen_prefixes: tuple[str, ...]
    database_server: str
    database_name: str


@dataclass(frozen=True, slots=True)
class WatchdogTask:
    """The scheduled task that starts stopped instances (``domain.md`` section 7)."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Disk:
    """A drive that an upgrade writes to. ``purpose``: install, home, staging; one drive may serve
    several.
    """

    name: str
    free: int
    size: int
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What one node tells about itself.

    ``version`` is the file version of the installed Octopus.Server.exe, ``signer`` the subject of
    its Authenticode certificate (empty where unsigned), ``product_code`` the installed MSI's.
    ``pending_reboot`` names the reasons. ``identity`` is the account octotui's calls run as.
    """

    node: str
    computer: str
    os: str
    powershell: str
    identity: str
    elevated: bool
    time: float
    boot_time: float
    install_directory: str
    version: str
    signer: str
    product_code: str
    instances: tuple[Instance, ...]
    services: Services
    watchdog: tuple[WatchdogTask, ...]
    disks: tuple[Disk, ...]
    pending_reboot: tuple[str, ...]
    installer_busy: bool
    octotui_directory: str


@dataclass(frozen=True, slots=True)
class NodeProblem:
    """A node of which no facts could be had, and why, in the error's own sentences.

    ``advice``: what to do about it, where the error said so.
    """

    node: str
    problem: str
    kind: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class InstalledVersion:
    """A row of dbo.OctopusServerInstallationHistory. ``installed`` is ISO text as stored."""

    version: str
    installed: str


@dataclass(frozen=True, slots=True)
class DatabaseNode:
    """A row of dbo.OctopusServerNode. ``last_seen`` is ISO text as stored, or empty."""

    name: str
    last_seen: str


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The Octopus database as seen from a node under the identity of ``[jobs] run_as``.

    ``reachable`` False: ``problem`` says why, the rest is empty. ``history`` is newest first.
    ``migrator_running``: a ``database`` verb of Octopus.Server.exe runs on the node that was asked.
    """

    reachable: bool
    problem: str
    identity: str
    db_owner: bool
    server: str
    database: str
    server_version: str
    history: tuple[InstalledVersion, ...]
    nodes: tuple[DatabaseNode, ...]
    migrator_running: bool

    @property
    def schema_version(self) -> str:
        """The newest version that ever upgraded this database; empty where unknown."""
        return self.history[0].version if self.history else ""


@dataclass(frozen=True, slots=True)
class FileProof:
    """A file on a node, looked at right now.

    ``proved`` only when the hash is the one expected, the Authenticode signature is valid there,
    and the signer is the one wanted; else ``reasons`` says what is not.
    """

    path: str
    exists: bool
    size: int
    sha256: str
    signature: str
    signer: str
    proved: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParkedService:
    name: str
    instance: str
    state: ServiceState
    start_type: StartType


@dataclass(frozen=True, slots=True)
class Parked:
    """What was found before a node was parked, kept on the node until it is unparked."""

    services: tuple[ParkedService, ...]
    watchdog: tuple[WatchdogTask, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A long operation on a node, which goes on without us.

    ``state`` absent: never started; lost: it was begun and its process is gone without an exit
    code (reboot, kill). ``output`` is the text from the offset asked for, ``next_offset`` in bytes.
    ``result`` holds the JSON values that the job's kind promises (``docs/agent.md``).
    """

    id: str
    state: JobState
    exit_code: int | None
    result: Mapping[str, object]
    output: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """What a node's own Octopus answers on its own listen prefix. ``status`` 0: no answer."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node as the cluster summary lists it (``domain.md`` section 3.3)."""

    id: str
    name: str
    max_concurrent_tasks: int
    draining: bool
    offline: bool
    last_seen: str
    running_tasks: int
    version: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A server task that is not finished. ``started`` is ISO text or empty."""

    id: str
    description: str
    state: str
    node_id: str
    started: str
    waits_for_person: bool


@dataclass(frozen=True, slots=True)
class License:
    """The licence's status. ``compliant`` None where the server would not say."""

    compliant: bool | None
    summary: str
    expires: str


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the REST API says about the cluster as a whole.

    ``maintenance_expires`` and ``covered_version`` come from the server's own update check and
    may be empty or stale offline (``domain.md`` section 3.5).
    """

    version: str
    installation_id: str
    maintenance: bool
    nodes: tuple[ClusterNode, ...]
    license: License
    maintenance_expires: str = ""
    covered_version: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """One pass over everything. ``cluster`` None: the API did not answer.

    ``nodes`` holds every node of the profile, in its order, ``instances`` the Octopus instance that
    the profile means on each. ``target`` is the package to install,
    ``installed`` the package of the version installed now, for backing out; either is None where
    it could not be had. ``problems`` says why something is None, by the field's name.
    """

    at: float
    first_node: str
    cluster: ClusterFacts | None
    nodes: Mapping[str, NodeFacts | NodeProblem]
    database: DatabaseState | None
    target: Package | None
    installed: Package | None
    backup: str
    problems: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[str, str] = field(default_factory=dict)

    @property
    def readable_nodes(self) -> dict[str, NodeFacts]:
        return {name: f for name, f in self.nodes.items() if isinstance(f, NodeFacts)}
