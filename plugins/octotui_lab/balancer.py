"""The load balancer in front of the nodes: which of them gets a request."""

from __future__ import annotations

from octotui_lab.octopus_api import respond
from octotui_lab.octopus_messages import ApiRequest, ApiResponse, ApiSettings, NobodyListens
from octotui_lab.world import World

_NO_NODE = "<html><head><title>503 Service Unavailable</title></head><body/></html>"


class Balancer:
    """Round robin over the nodes whose ping is 200, as Octopus' pages on high availability say.

    When none is, those that answer 418 get the requests: drained, but running. That is the
    "all unhealthy" mode of most balancers. One without it takes the whole API away from whoever
    drains the last node, and he could not undrain it any more.
    """

    def __init__(self, world: World, settings: ApiSettings) -> None:
        self._world = world
        self._settings = settings
        self._turn = 0

    def respond(self, request: ApiRequest) -> ApiResponse:
        """The answer of the node whose turn it is, or 503 where no node answers."""
        node = self._choose()
        if node is not None:
            try:
                return respond(self._world, node, request, self._settings)
            except NobodyListens:
                pass  # stopped since its ping
        return ApiResponse(503, _NO_NODE)

    def _choose(self) -> str | None:
        names = self._world.node_names
        self._turn += 1
        drained = None
        for place in range(len(names)):
            name = names[(self._turn + place) % len(names)]
            status = self._ping(name)
            if status == 200:
                return name
            if status == 418 and drained is None:
                drained = name
        return drained

    def _ping(self, node: str) -> int:
        path = f"{self._settings.api}/octopusservernodes/ping"
        try:
            return respond(self._world, node, ApiRequest("GET", path), self._settings).status
        except NobodyListens:
            return 0
