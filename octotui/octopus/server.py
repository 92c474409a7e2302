"""The cluster behind its users' address, and single nodes where they have one of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import httpx

from octotui.api.errors import ApiKeyRefused, ServerError, ServerNotReady
from octotui.api.facts import ClusterFacts, ClusterNode, License, Task
from octotui.api.server import OctopusServer, Serving
from octotui.octopus.connection import PATIENCE, Connection, tls_context
from octotui.octopus.documents import (
    Document,
    cluster_node,
    hidden_tasks,
    licence,
    read,
    server_task,
)
from octotui.octopus.failures import NOT_READY, error_words
from octotui.octopus.links import Links, origin
from octotui.octopus.smoke import Visitor

if TYPE_CHECKING:
    import ssl

    from pydantic import SecretStr

#: Tasks asked for at once.
_PAGE = 100

_FORBIDDEN_OR_MISSING = (403, 404)


def open_server(
    url: str,
    api_key: SecretStr,
    *,
    ca: Path | None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> OctopusServer:
    """The cluster at ``url``, virtual directory included. No I/O but for reading ``ca``.

    ``ca``: PEM file of the authorities to trust in place of the operating system's. ``transport``
    takes the place of the network. Raises ServerError for an address that cannot be one.
    """
    return HttpOctopusServer(url, api_key, ca=ca, transport=transport)


class HttpOctopusServer:
    """``OctopusServer`` over HTTP: one client for each host."""

    def __init__(
        self,
        url: str,
        api_key: SecretStr,
        *,
        ca: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._base = _base(url)
        self._api_key = api_key
        self._transport = transport
        self._patience = patience
        self._verify: ssl.SSLContext | bool = tls_context(ca) if transport is None else True
        self._connections: dict[str, Connection] = {}
        self._visitor: Visitor | None = None
        self._connection(self._base)
        self._known_links: Links | None = None

    async def facts(self) -> ClusterFacts:
        root = await self._root()
        status = await self._optional("ServerStatus")
        return ClusterFacts(
            version=root.text("Version"),
            installation_id=root.text("InstallationId", ""),
            maintenance=await self.maintenance(),
            nodes=await self.nodes(),
            license=await self._license(),
            maintenance_expires=status.text("MaintenanceExpires", ""),
            covered_version=status.text("MaximumAvailableVersionCoveredByLicense", ""),
        )

    async def maintenance(self) -> bool:
        return (await self._maintenance_configuration()).flag("IsInMaintenanceMode")

    async def set_maintenance(self, on: bool) -> None:
        found = await self._maintenance_configuration()
        url = (await self._links()).url("MaintenanceConfiguration")
        read(await self._cluster.put(url, {**found.values, "IsInMaintenanceMode": on}))

    async def nodes(self) -> tuple[ClusterNode, ...]:
        url = (await self._links()).url("OctopusServerClusterSummary")
        summary = read(await self._cluster.get(url))
        return tuple(cluster_node(row) for row in summary.documents("Nodes"))

    async def set_draining(self, node_id: str, draining: bool) -> None:
        url = (await self._links()).url("OctopusServerNodes", id=node_id)
        node = read(await self._cluster.get(url))
        # A PUT without the cap would make it 0, a node for the web site only (domain.md 3.3).
        node.number("MaxConcurrentTasks")
        read(await self._cluster.put(url, {**node.values, "IsInMaintenanceMode": draining}))

    async def running_tasks(self) -> tuple[Task, ...]:
        links = await self._links()
        query: dict[str, str | int] = {"running": "true", "take": _PAGE}
        # Older servers show one space's tasks, and no system tasks, unless told.
        query |= {"spaces": "all", "includeSystem": "true"}
        tasks: dict[str, Task] = {}
        while True:
            page = read(await self._cluster.get(links.url("Tasks", skip=len(tasks), **query)))
            items = [server_task(item) for item in page.documents("Items")]
            before = len(tasks)
            tasks |= {task.id: task for task in items}
            if len(tasks) == before or len(tasks) >= page.number("TotalResults", 0):
                return (*tasks.values(), *hidden_tasks(page, len(tasks)))

    async def cancel_task(self, task_id: str) -> None:
        url = (await self._links()).url("Tasks", id=task_id)
        try:
            await self._cluster.post(url.copy_with(path=f"{url.path}/cancel"))
        except (ApiKeyRefused, ServerNotReady):
            raise
        except ServerError:
            # It may have ended by itself in between, and then there is nothing to complain of.
            task = await self._cluster.get(url, accept=(404,))
            if task.status_code == 404 or not read(task).flag("IsCompleted", False):
                raise

    async def serving(self, base_url: str = "") -> Serving:
        """One try. Raises ServerError where waiting cannot help.

        That is: a certificate that is not trusted, an API key that is refused, a redirect to
        another host.
        """
        base = _base(base_url) if base_url else self._base
        connection = self._connection(base)
        try:
            answer = await connection.get(_root_url(base), accept=_ERRORS, patience=0)
            if not answer.is_success:
                return Serving("", False, _refusal(answer))
            root = _document(answer)
            if root is None:
                return Serving("", False, "/api answers with something that is not Octopus")
            version = root.text("Version", "")
            if not version:
                return Serving("", False, "/api answers without a version")
            links = Links(base, root.mapping("Links"))
            url = links.url("OctopusServerClusterSummary")
            answer = await connection.get(url, accept=_ERRORS, patience=0)
        except ServerNotReady as error:
            return Serving("", False, error.what)
        if not answer.is_success:
            return Serving(version, False, f"an authenticated read: {_refusal(answer)}")
        if _document(answer) is None:
            return Serving(version, False, "an authenticated read is answered by a web page")
        return Serving(version, True, "")

    async def smoke(self, url: str, expect: int, timeout: float) -> str:
        if self._visitor is None:
            self._visitor = Visitor(self._verify, self._transport)
        return await self._visitor.look(url, expect, timeout)

    async def system_report(self, to: BinaryIO, most: int) -> None:
        """Writes the server's own report for its makers, a zip; it needs AdministerSystem.

        Nothing in it is masked. Raises ServerError, also where it has more than ``most`` bytes.
        """
        await self._cluster.download((await self._links()).url("SystemReport"), to, most)

    async def close(self) -> None:
        connections, self._connections = self._connections, {}
        visitor, self._visitor = self._visitor, None
        for connection in connections.values():
            await connection.close()
        if visitor is not None:
            await visitor.close()

    @property
    def _cluster(self) -> Connection:
        return self._connection(self._base)

    def _connection(self, base: httpx.URL) -> Connection:
        host = origin(base)
        if host not in self._connections:
            self._connections[host] = Connection(
                self._api_key, self._verify, self._transport, self._patience
            )
        return self._connections[host]

    async def _root(self) -> Document:
        root = read(await self._cluster.get(_root_url(self._base)))
        self._known_links = Links(self._base, root.mapping("Links"))
        return root

    async def _links(self) -> Links:
        if self._known_links is None:
            await self._root()
        assert self._known_links is not None
        return self._known_links

    async def _maintenance_configuration(self) -> Document:
        return read(await self._cluster.get((await self._links()).url("MaintenanceConfiguration")))

    async def _optional(self, link: str) -> Document:
        """What only some versions or users have; empty for the others."""
        url = (await self._links()).url(link)
        answer = await self._cluster.get(url, accept=_FORBIDDEN_OR_MISSING)
        return read(answer) if answer.is_success else Document(url, {})

    async def _license(self) -> License:
        url = (await self._links()).url("CurrentLicenseStatus")
        answer = await self._cluster.get(url, accept=_FORBIDDEN_OR_MISSING)
        if answer.is_success:
            return licence(read(answer))
        why = "this server has no licence status" if answer.status_code == 404 else "not allowed"
        return License(None, error_words(answer) or why, "")


#: Of a server that may be starting, every error status but a refused key is an answer.
_ERRORS = frozenset(range(400, 600)) - {401, 403}


def _base(url: str) -> httpx.URL:
    """The address without ``/api``, query and trailing slash. Raises ServerError."""
    try:
        base = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise ServerError(f"{url!r} is no address of Octopus Server: {error}") from None
    if base.scheme not in {"http", "https"} or not base.host:
        raise ServerError(f"{url!r} is no address of Octopus Server: write https://HOST")
    if base.userinfo:
        raise ServerError(f"the address of {base.host} holds a user name, which octotui never uses")
    path = base.path.rstrip("/").removesuffix("/api")
    return base.copy_with(path=path or "/", query=None, fragment=None)


def _root_url(base: httpx.URL) -> httpx.URL:
    return Links(base, {}).resolve("~/api")


def _document(answer: httpx.Response) -> Document | None:
    try:
        return read(answer)
    except ServerError:
        return None


def _refusal(answer: httpx.Response) -> str:
    """Why a node that answers does not serve."""
    status = answer.status_code
    if status == 503:
        return "HTTP 503, it is starting"
    words = "" if status in NOT_READY else error_words(answer)
    return f"HTTP {status}: {words}" if words else f"HTTP {status}"
