"""A look at a cluster without any secret: version and health, as far as everybody may ask.

No API key is sent: what only answers to one stays unknown. Nothing is repeated; the look is short.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import httpx

from octotui.octopus.failures import NOT_READY, error_words, is_page, of_connection, page_title

#: How a cluster or a node is. ``partly``: some of its nodes are not online. ``answers``: it
#: serves, and says no more to somebody without a key.
Health: TypeAlias = Literal[
    "online", "partly", "draining", "maintenance", "offline", "starting", "answers", "unreachable",
    "other",
]  # fmt: skip

#: One question has this long, seconds, all of its answer included.
PATIENCE: Final = 3.0

#: So many questions are under way at once.
AT_ONCE: Final = 64

#: An answer is not read further than that, bytes: those asked for have some hundreds.
_LONGEST: Final = 64 * 1024

#: So much of a server's own words is told, characters.
_LONGEST_TEXT: Final = 160


@dataclass(frozen=True, slots=True)
class NodeGlance:
    """A node with an address of its own. ``reason`` says why it is not online."""

    name: str
    health: Health
    version: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClusterGlance:
    """What the cluster's address and its nodes say. ``version`` is empty where none is told."""

    health: Health
    version: str = ""
    reason: str = ""
    nodes: tuple[NodeGlance, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, or in ``failure`` why there is none."""

    status: int = 0
    body: Mapping[str, Any] | None = None
    failure: str = ""

    def flag(self, name: str) -> bool:
        return self.body is not None and self.body.get(name) is True

    def text(self, name: str) -> str:
        value = self.body.get(name) if self.body is not None else None
        return _shown(value) if isinstance(value, str) else ""

    @property
    def version(self) -> str:
        return self.text("Version")


class Onlooker:
    """Asks clusters. ``limit`` is shared by all questions of one process."""

    def __init__(self, client: httpx.AsyncClient, limit: asyncio.Semaphore | None = None) -> None:
        self._client = client
        self._limit = limit or asyncio.Semaphore(AT_ONCE)

    async def look(self, url: str, nodes: Sequence[tuple[str, str]]) -> ClusterGlance:
        """One look at the cluster and at its nodes: their names, and their addresses or "".

        Raises nothing: what went wrong is the look's reason.
        """
        asked = [(name, own) for name, own in nodes if own]
        each = asyncio.gather(*(self._node(name, own) for name, own in asked))
        cluster, found = await asyncio.gather(self._cluster(url), each)
        return _together(cluster, tuple(found))

    async def _cluster(self, url: str) -> ClusterGlance:
        root, ping, health = await asyncio.gather(
            self._ask(url, "/api"),
            self._ask(url, "/api/octopusservernodes/ping"),
            self._ask(url, "/api/serverstatus/health"),
        )
        if refused := _refusal(root):
            return ClusterGlance(refused[0], "", refused[1])
        version = root.version
        if health.flag("IsEntireClusterReadOnly"):
            return ClusterGlance("maintenance", version, "in maintenance mode: read only")
        if health.flag("IsEntireClusterDrainingTasks"):
            return ClusterGlance("draining", version, "all its nodes drain their tasks")
        state, reason = _pinged(ping)
        if health.status in NOT_READY and health.body and state in ("online", "answers"):
            said = health.text("Description") or "its health is not normal"
            return ClusterGlance("partly", version, said)
        return ClusterGlance(state, version, reason)

    async def _node(self, name: str, url: str) -> NodeGlance:
        root, ping = await asyncio.gather(
            self._ask(url, "/api"), self._ask(url, "/api/octopusservernodes/ping")
        )
        if refused := _refusal(root):
            return NodeGlance(name, refused[0], "", refused[1])
        state, reason = _pinged(ping)
        return NodeGlance(name, state, root.version or ping.version, reason)

    async def _ask(self, base: str, path: str) -> _Answer:
        """One question. A redirect is an answer: where it leads nobody has asked us to look."""
        try:
            url = httpx.URL(base.rstrip("/") + path)
        except (httpx.InvalidURL, ValueError):
            return _Answer(failure=f"{base} is no address")
        async with self._limit:
            try:
                async with (
                    asyncio.timeout(PATIENCE),
                    self._client.stream("GET", url, headers={"Accept": "application/json"}) as sent,
                ):
                    return await _read(sent)
            except TimeoutError:
                return _Answer(failure=f"no answer within {PATIENCE:.0f} s")
            except httpx.TransportError as error:
                what = of_connection(error, "GET", url).what
                return _Answer(failure=what.removeprefix(f"nobody answers at {url}: "))
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                return _Answer(failure=f"it cannot be asked: {error}")


async def _read(response: httpx.Response) -> _Answer:
    if response.has_redirect_location:
        target = response.url.join(response.headers["Location"])
        where = f"{target.scheme}://{target.netloc.decode()}"
        return _Answer(response.status_code, failure=f"it redirects to {where}")
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > _LONGEST:
            return _Answer(response.status_code, failure="it answers with more than Octopus would")
    whole = httpx.Response(
        response.status_code, headers={"Content-Type": response.headers.get("Content-Type", "")},
        content=content,
    )  # fmt: skip
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if isinstance(body, dict):
        return _Answer(response.status_code, body, _shown(error_words(whole)))
    title = f' titled "{page_title(whole)}"' if is_page(whole) and page_title(whole) else ""
    if response.is_success:
        return _Answer(response.status_code, failure=_shown(f"it is not Octopus: a page{title}"))
    return _Answer(response.status_code, failure=_shown(error_words(whole)))


def _shown(text: str) -> str:
    """What a server says, fit for a terminal: one line, not long, nothing that steers it."""
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_TEXT]


def _refusal(root: _Answer) -> tuple[Health, str] | None:
    """Why ``/api`` tells nothing; None where Octopus answers with its version."""
    if root.status == 503:
        return "starting", "HTTP 503: it is starting, or the load balancer has no node"
    if root.status in NOT_READY:
        return "unreachable", f"HTTP {root.status}: no node serves"
    if not root.status:
        return "unreachable", root.failure
    if root.failure and 200 <= root.status < 400:
        return "other", root.failure
    if root.status >= 400:
        said = f": {root.failure}" if root.failure else ""
        return "other", f"/api answers HTTP {root.status}{said}"
    return None if root.version else ("other", "/api answers without a version: no Octopus Server")


def _pinged(ping: _Answer) -> tuple[Health, str]:
    """What a ping tells, of a server whose ``/api`` answers."""
    if ping.status == 418:
        if ping.flag("IsOffline"):
            return "offline", "the node counts itself as offline"
        if ping.flag("IsInMaintenanceMode"):
            return "draining", "it takes no new tasks"
        return "draining", "it drains its tasks or is offline"
    if ping.status == 503:
        return "starting", "HTTP 503: it is starting"
    if 200 <= ping.status < 300 and not ping.failure:
        return "online", ""
    why = ping.failure or f"HTTP {ping.status}"
    return "answers", f"it serves; whether it takes tasks it does not say ({why})"


def _together(cluster: ClusterGlance, nodes: tuple[NodeGlance, ...]) -> ClusterGlance:
    """The cluster's own word, and what its nodes say beyond that."""
    health, reason = cluster.health, cluster.reason
    online = sum(node.health in ("online", "answers") for node in nodes)
    if nodes and health in ("online", "answers", "draining") and online < len(nodes):
        # Behind a balancer any node may have answered for the whole.
        drained = all(node.health == "draining" for node in nodes)
        health = "draining" if drained else "partly"
        reason = "no node takes new tasks" if drained else f"{online} of {len(nodes)} nodes online"
    elif nodes and health in ("draining", "offline") and online == len(nodes):
        health, reason = "online", ""
    versions = sorted({node.version for node in nodes if node.version} | {cluster.version} - {""})
    version = cluster.version if len(versions) < 2 else " and ".join(versions)
    return ClusterGlance(health, version or " and ".join(versions), reason, nodes)
