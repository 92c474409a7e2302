"""What can be asked of the cluster's REST API. octotui implements it over httpx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from octotui.api.facts import ClusterFacts, ClusterNode, Task


@dataclass(frozen=True, slots=True)
class Serving:
    """Whether a node serves: ``/api`` answers with a version and an authenticated read succeeds.

    A drained node answers ping with 418, so ping is no proof. ``reason`` says why not, for the
    person who waits.
    """

    version: str
    serving: bool
    reason: str


class OctopusServer(Protocol):
    """The cluster behind its users' URL. Raises ServerError and its kinds."""

    async def facts(self) -> ClusterFacts: ...

    async def maintenance(self) -> bool: ...

    async def set_maintenance(self, on: bool) -> None: ...

    async def nodes(self) -> tuple[ClusterNode, ...]:
        """The cluster summary."""
        ...

    async def set_draining(self, node_id: str, draining: bool) -> None:
        """Sets a node's drain flag and leaves its task cap as it is."""
        ...

    async def running_tasks(self) -> tuple[Task, ...]:
        """Tasks that are Executing or Cancelling on any node."""
        ...

    async def cancel_task(self, task_id: str) -> None: ...

    async def serving(self, base_url: str = "") -> Serving:
        """Whether the server at ``base_url`` (a node's own; default the cluster's) serves."""
        ...

    async def smoke(self, url: str, expect: int, timeout: float) -> str:
        """GET of a user's page. Returns what is wrong; empty where it is as expected."""
        ...

    async def close(self) -> None: ...
