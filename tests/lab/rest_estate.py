"""A simulated cluster's REST servers on real sockets, with a clock that a test moves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from octotui.octopus import HttpOctopusServer
from octotui_lab.balancer import Balancer
from octotui_lab.certificates import issue
from octotui_lab.clock import ManualClock
from octotui_lab.door import Door, own_address
from octotui_lab.estate_node import EstateNode, Surroundings
from octotui_lab.octopus_http import octopus_application
from octotui_lab.octopus_messages import ApiSettings
from octotui_lab.waiting import Waiter
from octotui_lab.world import World
from tests.lab_estate import world

KEY = "API-LABLABLABLABLABLABLABLAB"


@dataclass
class RestEstate:
    """What a test asks and moves."""

    world: World
    clock: ManualClock
    nodes: dict[str, str]
    balancer: str
    ca: Path
    client: httpx.AsyncClient

    async def get(self, url: str, key: str | None = KEY, **query: str) -> httpx.Response:
        return await self.client.get(url, params=query, headers=_headers(key))

    async def put(self, url: str, document: object, key: str | None = KEY) -> httpx.Response:
        return await self.client.put(url, json=document, headers=_headers(key))

    async def post(self, url: str, key: str | None = KEY) -> httpx.Response:
        return await self.client.post(url, headers=_headers(key))

    def server(self, url: str = "", **options: float) -> HttpOctopusServer:
        """Our own client of the cluster."""
        return HttpOctopusServer(url or self.balancer, SecretStr(KEY), ca=self.ca, **options)

    async def pass_time(self, seconds: float) -> None:
        """Moves the clock and lets the servers notice."""
        self.clock.advance(seconds)
        await self.settle(lambda: True)

    async def settle(self, condition: Callable[[], bool]) -> None:
        """Lets the event loop's other work be done until ``condition`` holds."""
        for _ in range(200):
            await asyncio.sleep(0)
            if condition():
                break
        for _ in range(20):
            await asyncio.sleep(0)

    async def stop(self, node: str) -> None:
        self.world.stop_service(node, "test")
        await self.pass_time(21)

    async def start(self, node: str, seconds: float = 61) -> None:
        assert self.world.start_service(node, "test") == ""
        await self.pass_time(seconds)


def _headers(key: str | None) -> dict[str, str]:
    return {"X-Octopus-ApiKey": key} if key is not None else {}


@asynccontextmanager
async def rest_estate(
    folder: Path, *faults: str, nodes: int = 2, directory: str = ""
) -> AsyncIterator[RestEstate]:
    """Nodes and balancer, over TLS."""
    clock = ManualClock()
    model = world(clock, nodes, *faults, root=str(folder / "nodes"))
    addresses = {name: own_address(k) for k, name in enumerate(model.node_names, 1)}
    certificate = issue(("127.0.0.1", *addresses.values()), folder)
    ca = folder / "ca.pem"
    ca.write_bytes(certificate.authority_pem)
    settings = ApiSettings(KEY, directory)
    around = Surroundings(
        world=model,
        waiter=Waiter(model.schedule),
        certificate=certificate,
        api=settings,
        users={},
        powershell=None,
        control_url="",
    )
    async with AsyncExitStack() as stack:
        found = {}
        for name, address in addresses.items():
            node = await stack.enter_async_context(EstateNode(name, address, around))
            found[name] = node.found_at.url + directory
        door = Door(
            octopus_application(Balancer(model, settings).respond), "127.0.0.1", certificate.context
        )
        stack.push_async_callback(door.stop)
        await door.start()
        trust = ssl.create_default_context(cafile=ca)
        client = await stack.enter_async_context(httpx.AsyncClient(verify=trust, timeout=5))
        yield RestEstate(model, clock, found, door.url + directory, ca, client)
