"""The world: what a cluster does when it is told things.

Pure: no sockets, no files, no event loop. Every question first lets happen what is due by the clock.
Skins (REST, WinRM, the in-process transport) wait for changes with ``waiting.Waiter``.

The interface below is settled; its body is being filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from octotui_lab.catalogue import Catalogue
from octotui_lab.clock import Clock
from octotui_lab.schedule import Schedule

#: What a client of a node's REST API meets: no listener, 503 while it boots, or the API.
RestState = Literal["refused", "booting", "up"]


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


@dataclass(frozen=True, slots=True)
class ServerTask:
    """A server task. Times in epoch seconds; ``node`` is a node's name."""

    id: str
    description: str
    state: Literal["Executing", "Cancelling", "Canceled", "Success", "Failed"]
    node: str
    queued: float
    started: float
    ended: float | None
    waits_for_person: bool


class World:
    """One cluster on one database, with its ground truth."""

    #: Wakes waiters: ``Waiter(world.schedule)``.
    schedule: Schedule
    catalogue: Catalogue
    #: OCTO1..OCTON, in order of K.
    node_names: tuple[str, ...]
    installation_id: str
    #: 1 for administrators of everything; see ``api_key_administers``.

    @classmethod
    def create(
        cls,
        nodes: int = 3,
        *,
        clock: Clock,
        faults: Iterable[str] = (),
        root: str = "",
        catalogue: Catalogue | None = None,
        version: str = "",
    ) -> World:
        """A healthy cluster with these faults in it; ``version`` installed (else the oldest of the
        catalogue). ``root`` is the folder whose children are the nodes' drives (``root/OCTO1``).
        Raises ValueError for a fault that does not exist or has a bad value.
        """
        raise NotImplementedError

    def advance(self) -> None:
        """Lets everything happen that is due by now."""
        raise NotImplementedError

    def add_fault(self, text: str) -> None:
        """Adds a fault (design 8's grammar) while it runs. Raises ValueError."""
        raise NotImplementedError

    def fault(self, node: str, name: str) -> str | None:
        """The value of a fault that a node has now ("" where it takes none), or None. For skins:
        ``unreachable`` and ``wrong-credentials`` are theirs to apply.
        """
        raise NotImplementedError

    def fault_of(self, scope: str, name: str) -> str | None:
        """As ``fault``, of a scope that is no node: ``download``: ``tampered``, ``truncated``."""
        raise NotImplementedError

    def truth(self, final: bool = False) -> dict[str, Any]:
        """The ground truth in design 8's shape. ``final`` also judges R8: maintenance mode as it
        was found. That judgement is not kept.
        """
        raise NotImplementedError

    def waive_drain(self, node: str) -> None:
        """A person allows this node's stop although tasks still run (R7)."""
        raise NotImplementedError

    # -- what the REST skin asks ---------------------------------------------------------------

    def rest_state(self, node: str) -> RestState:
        """What a client of that node's REST API meets now."""
        raise NotImplementedError

    def serving_version(self, node: str) -> str:
        """The version of the server process that runs on a node; empty where none does."""
        raise NotImplementedError

    @property
    def maintenance(self) -> bool: ...

    def set_maintenance(self, on: bool) -> None:
        """Cluster maintenance mode (lies in the database)."""
        raise NotImplementedError

    def set_node(self, node: str, *, draining: bool, task_cap: int) -> None:
        """A node's drain flag and task cap. A drained node takes no new task; those that run end
        after the drain's typical duration.
        """
        raise NotImplementedError

    def summary(self) -> tuple[NodeSummary, ...]:
        """The rows of the cluster summary; with ``cluster:unknown-node`` one more than we have."""
        raise NotImplementedError

    def tasks(self) -> tuple[ServerTask, ...]:
        """All server tasks, newest first; those that run are Executing or Cancelling."""
        raise NotImplementedError

    def cancel_task(self, task_id: str) -> bool:
        """Begins to cancel a task; False if there is none of that id or it has ended."""
        raise NotImplementedError

    def license_compliant(self) -> bool: ...

    def api_key_administers(self) -> bool:
        """Whether the lab's API key belongs to a user with AdministerSystem."""
        raise NotImplementedError

    def set_listen_prefixes(self, node: str, prefixes: Sequence[str]) -> None:
        """Where the node's own REST API listens, as its configuration will name it."""
        raise NotImplementedError

    def listen_prefixes(self, node: str) -> tuple[str, ...]: ...
