"""The lab's REST API without sockets, for httpx: a network of host names in one process."""

from __future__ import annotations

import httpx

from octotui_lab.balancer import Balancer
from octotui_lab.octopus_api import respond
from octotui_lab.octopus_messages import API_KEY_HEADER, ApiRequest, ApiSettings, NobodyListens
from octotui_lab.world import World

#: The load balancer's host; a node's is its name in lower case below the same domain.
BALANCER_HOST = "octopus.lab"


def node_host(node: str) -> str:
    """The host name of a node: ``octo1.octopus.lab``."""
    return f"{node.lower()}.{BALANCER_HOST}"


class InProcessHttp(httpx.AsyncBaseTransport):
    """Answers for ``octopus.lab`` and the nodes below it, any scheme and port."""

    def __init__(self, world: World, settings: ApiSettings) -> None:
        self._world = world
        self._settings = settings
        self._balancer = Balancer(world, settings)
        self._nodes = {node_host(name): name for name in world.node_names}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = ApiRequest(
            request.method,
            request.url.path,
            {name.lower(): value for name, value in request.url.params.items()},
            request.headers.get(API_KEY_HEADER),
            await request.aread(),
        )
        host = request.url.host
        if host == BALANCER_HOST:
            answer = self._balancer.respond(asked)
        elif host in self._nodes:
            try:
                answer = respond(self._world, self._nodes[host], asked, self._settings)
            except NobodyListens:
                refused = ConnectionRefusedError("connection refused")
                raise httpx.ConnectError("connection refused", request=request) from refused
        else:
            raise httpx.ConnectError(f"no host {host} in the lab", request=request)
        headers = {"Content-Type": answer.content_type, **answer.headers}
        return httpx.Response(answer.status, headers=headers, content=answer.body)
