"""The world: what a cluster does when it is told things.

Pure: no sockets, no files, no event loop. Every question first lets happen what is due by now.
Skins (REST, WinRM, the in-process transport) wait for changes with ``waiting.Waiter``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from octotui_lab.catalogue import INSTALLED_AT_START, Catalogue, load_catalogue
from octotui_lab.clock import Clock
from octotui_lab.model import installer, schema, server_verbs, services, sql, tasks
from octotui_lab.model import program as programs
from octotui_lab.model.creation import new_cluster
from octotui_lab.model.program import Program
from octotui_lab.model.sql import Statement
from octotui_lab.model.state import Cluster, Durations, ServerTask, StartType
from octotui_lab.schedule import Schedule
from octotui_lab.truth import whole_truth

#: What a client of a node's REST API meets: no listener, 503 while it boots, or the API.
RestState = Literal["refused", "booting", "up"]

INSTALLATION_ID = "5f0c7a52-9d3e-4b57-8a8e-0c70b05e0001"


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """A node as the database knows it (``domain.md`` 3.3). ``last_seen`` in epoch seconds."""

    id: str
    name: str
    task_cap: int
    draining: bool
    offline: bool
    last_seen: float
    running_tasks: int
    version: str


class World:
    """One cluster on one database, with its ground truth."""

    def __init__(self, cluster: Cluster, installation_id: str) -> None:
        self._cluster = cluster
        #: What tells this cluster from all others.
        self.installation_id = installation_id
        #: Wakes waiters: ``Waiter(world.schedule)``.
        self.schedule = cluster.schedule
        self.catalogue = cluster.catalogue
        #: OCTO1..OCTON, in order of K.
        self.node_names = tuple(cluster.nodes)

    @classmethod
    def create(
        cls,
        nodes: int = 3,
        *,
        clock: Clock,
        faults: Iterable[str] = (),
        root: str = "",
        catalogue: Catalogue | None = None,
        version: str = INSTALLED_AT_START,
        maintenance: bool = False,
        durations: Durations | None = None,
        installation_id: str = INSTALLATION_ID,
    ) -> World:
        """A cluster that serves ``version``, with these faults in it.

        ``root`` is the folder whose children are the nodes' drives (``root/OCTO1``);
        ``maintenance`` is how maintenance mode is found. Raises ValueError for a fault that does
        not exist or has a bad value, and for a number of nodes below 1.
        """
        cluster = new_cluster(
            nodes,
            Schedule(clock),
            catalogue or load_catalogue(),
            root=root,
            version=version,
            maintenance=maintenance,
            durations=durations or Durations(),
        )
        world = cls(cluster, installation_id)
        for text in faults:
            world.add_fault(text)
        for node in cluster.nodes.values():
            services.serve_from_beginning(cluster, node)
            cluster.schedule.follow(services.watchdog(cluster, node))
        return world

    def advance(self) -> None:
        """Lets everything happen that is due by now."""
        self.schedule.advance()

    # -- faults and truth --------------------------------------------------------------------------

    def add_fault(self, text: str) -> None:
        """Adds a fault (design 8's grammar) while it runs. Raises ValueError."""
        self.advance()
        cluster = self._cluster
        fault = cluster.faults.add(text, cluster.now)
        node = next((n for n in cluster.nodes.values() if n.scope == fault.scope), None)
        if node is not None and fault.kind.name == "other-version":
            newer = [p for p in self.catalogue.packages if p.version != node.version]
            if not newer:
                raise ValueError(f"{text!r}: the lab has packages of one version only")
            node.version, node.product_code = newer[0].version, newer[0].product_code
        if node is not None and fault.kind.name == "pending-reboot":
            node.pending_reboot.append("Component Based Servicing")
        self.schedule.changed()

    def remove_fault(self, scope: str, name: str) -> bool:
        """Takes a fault away while it runs; False if there was none."""
        self.advance()
        removed = self._cluster.faults.remove(scope, name)
        self.schedule.changed()
        return removed

    def fault(self, node: str, name: str) -> str | None:
        """The value of a fault that a node has now ("" where it takes none), or None. For skins:
        ``unreachable`` and ``wrong-credentials`` are theirs to apply.
        """
        return self._cluster.faults.value(self._cluster.nodes[node].scope, name)

    def take_fault(self, node: str, name: str) -> str | None:
        """As ``fault``, and counts as one of the occasions that ``times=N`` allows."""
        return self._cluster.faults.take(self._cluster.nodes[node].scope, name)

    def fault_of(self, scope: str, name: str) -> str | None:
        """As ``fault``, of a scope that is no node: ``download``: ``tampered``, ``truncated``."""
        return self._cluster.faults.value(scope, name)

    def take_fault_of(self, scope: str, name: str) -> str | None:
        """As ``take_fault``, of a scope that is no node."""
        return self._cluster.faults.take(scope, name)

    def truth(self, final: bool = False) -> dict[str, Any]:
        """The ground truth in design 8's shape. ``final`` also judges R8: maintenance mode as it
        was found. That judgement is not kept.
        """
        self.advance()
        told = whole_truth(self._cluster)
        if final:
            told["violations"] += self._cluster.rules.at_end(self._cluster)
        return told

    def waive_drain(self, node: str) -> None:
        """A person allows this node's next stop although tasks still run (R7)."""
        self._cluster.nodes[node].drain_waived = True

    # -- what the REST skin asks -------------------------------------------------------------------

    def rest_state(self, node: str) -> RestState:
        """What a client of that node's REST API meets now."""
        self.advance()
        cluster, service = self._cluster, self._cluster.nodes[node].service
        if service.state != "running":
            return "refused"
        busy = cluster.faults.find("cluster", "api-503")
        if busy is not None:
            until = busy.since + float(busy.value) / self.schedule.clock.speed
            if cluster.now < until:
                return "booting"
        if not service.serving or cluster.faults.has("database", "down"):
            return "booting"
        return "up"

    def serving_version(self, node: str) -> str:
        """The version of the server process that runs on a node; empty where none does."""
        self.advance()
        return self._cluster.nodes[node].service.version

    @property
    def maintenance(self) -> bool:
        """Cluster maintenance mode (lies in the database)."""
        self.advance()
        return self._cluster.database.maintenance

    def set_maintenance(self, on: bool) -> None:
        """Turns cluster maintenance mode on or off."""
        self.advance()
        cluster = self._cluster
        if cluster.database.maintenance == on:
            return
        cluster.database.maintenance = on
        cluster.truth.act(cluster.now, None, "maintenance-on" if on else "maintenance-off")
        cluster.rules.maintenance_changed(cluster)
        if not on:
            for node in cluster.nodes.values():
                tasks.pick_up_soon(cluster, node)
        self.schedule.changed()

    def set_node(self, node: str, *, draining: bool, task_cap: int) -> None:
        """A node's drain flag and task cap. A drained node takes no new task; those that run end
        after the drain's typical duration.
        """
        self.advance()
        row = self._cluster.database.rows[node]
        if row.task_cap != task_cap:
            row.task_cap = task_cap
            self._cluster.truth.act(self._cluster.now, node, "task-cap", task_cap=task_cap)
        server_verbs.set_draining(self._cluster, self._cluster.nodes[node], draining)
        self.schedule.changed()

    def summary(self) -> tuple[NodeSummary, ...]:
        """The rows of the cluster summary; with ``cluster:unknown-node`` one more than we have."""
        self.advance()
        cluster = self._cluster
        rows = [
            NodeSummary(
                id=f"OctopusServerNodes-{name}",
                name=name,
                task_cap=row.task_cap,
                draining=row.draining,
                offline=not schema.looks_alive(cluster, name),
                last_seen=schema.last_heartbeat(cluster, row),
                running_tasks=len(cluster.running_tasks(name)),
                version=cluster.nodes[name].service.version or cluster.database.schema_version,
            )
            for name, row in cluster.database.rows.items()
        ]
        if name := schema.unknown_node(cluster):
            rows.append(
                NodeSummary(
                    id=f"OctopusServerNodes-{name}",
                    name=name,
                    task_cap=5,
                    draining=False,
                    offline=False,
                    last_seen=cluster.now,
                    running_tasks=0,
                    version=cluster.database.schema_version,
                )
            )
        return tuple(rows)

    def tasks(self) -> tuple[ServerTask, ...]:
        """All server tasks, newest first; those that run are Executing or Cancelling."""
        self.advance()
        return tuple(reversed(self._cluster.tasks))

    def waits_for_person(self, task: ServerTask) -> bool:
        """Whether a task waits for a manual intervention."""
        return tasks.waits_for_person(self._cluster, task)

    def cancel_task(self, task_id: str) -> bool:
        """Begins to cancel a task; False if there is none of that id or it has ended."""
        self.advance()
        for task in self._cluster.tasks:
            if task.id == task_id and task.running:
                tasks.cancel(self._cluster, task)
                self.schedule.changed()
                return True
        return False

    def license_compliant(self) -> bool:
        return not self._cluster.faults.has("license", "not-compliant")

    def api_key_administers(self) -> bool:
        """Whether the lab's API key belongs to a user with AdministerSystem."""
        return not self._cluster.faults.has("api-key", "not-administrator")

    def set_listen_prefixes(self, node: str, prefixes: Sequence[str]) -> None:
        """Where the node's own REST API listens, as its configuration will name it."""
        self._cluster.nodes[node].listen_prefixes = tuple(prefixes)

    def listen_prefixes(self, node: str) -> tuple[str, ...]:
        return self._cluster.nodes[node].listen_prefixes

    # -- what a node's Windows asks ----------------------------------------------------------------

    @property
    def cluster(self) -> Cluster:
        """The state, for looking at, up to now. Changes go through the methods of this class."""
        self.advance()
        return self._cluster

    def start_service(self, node: str, by: str) -> str:
        """Asks for a service's start; why it was refused, or empty."""
        self.advance()
        problem = services.start(self._cluster, self._cluster.nodes[node], by)
        self.schedule.changed()
        return problem

    def stop_service(self, node: str, by: str) -> None:
        """Asks for a service's stop."""
        self.advance()
        services.stop(self._cluster, self._cluster.nodes[node], by)
        self.schedule.changed()

    def set_start_type(self, node: str, start_type: StartType) -> None:
        self.advance()
        services.set_start_type(self._cluster, self._cluster.nodes[node], start_type)
        self.schedule.changed()

    def set_watchdog(self, node: str, enabled: bool) -> None:
        self.advance()
        services.set_watchdog(self._cluster, self._cluster.nodes[node], enabled)
        self.schedule.changed()

    def kill_process(self, node: str, process_id: int) -> bool:
        """Ends a process at once; False if there is none of that id."""
        self.advance()
        state = self._cluster.nodes[node]
        if process_id in state.programs:
            programs.kill(state.programs[process_id])
        elif process_id == state.service.process_id != 0:
            services.kill(self._cluster, state)
        else:
            return False
        self.schedule.changed()
        return True

    def start_msiexec(
        self, node: str, arguments: Sequence[str], user: str, sha256: str | None
    ) -> Program:
        """Runs msiexec; ``sha256`` is of the file that ``/i`` names, None where there is none."""
        self.advance()
        state = self._cluster.nodes[node]
        program = installer.start(self._cluster, state, arguments, user, sha256)
        self.schedule.changed()
        return program

    def start_octopus_server(self, node: str, arguments: Sequence[str], user: str) -> Program:
        """Runs Octopus.Server.exe. Raises FileNotFoundError where it is not installed."""
        self.advance()
        state = self._cluster.nodes[node]
        if not state.version:
            raise FileNotFoundError(server_verbs.executable(state))
        self._cluster.rules.server_program_starts(self._cluster, state, arguments)
        program = server_verbs.start(self._cluster, state, arguments, user)
        self.schedule.changed()
        return program

    def start_sql(self, node: str, text: str, identity: str) -> Statement:
        """Sends a statement to the database's server from a node."""
        self.advance()
        statement = sql.start(self._cluster, self._cluster.nodes[node], text, identity)
        self.schedule.changed()
        return statement

    def file_proved(self, node: str, sha256: str) -> None:
        """Somebody asked for a file's signature on a node, and it was valid (R5)."""
        self.advance()
        self._cluster.nodes[node].proved[sha256] = self._cluster.now

    def file_staged(self, node: str, file_name: str, sha256: str, size: int) -> None:
        """A file appeared in a node's packages folder."""
        self.advance()
        self._cluster.truth.act(
            self._cluster.now, node, "stage", file_name=file_name, sha256=sha256, size=size
        )
