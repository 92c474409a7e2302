"""A whole simulated estate on loopback ports: every server of a lab, in one event loop."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import string
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from octotui_lab.balancer import Balancer
from octotui_lab.certificates import ServerCertificate, issue
from octotui_lab.clock import ScaledClock
from octotui_lab.control import control_application
from octotui_lab.door import Door, own_address
from octotui_lab.estate_node import EstateNode, Surroundings
from octotui_lab.hosts import WindowsHost
from octotui_lab.octopus_http import application
from octotui_lab.octopus_messages import ApiSettings
from octotui_lab.profile_file import LabAddresses, ProfileFile
from octotui_lab.waiting import Waiter
from octotui_lab.world import World
from octotui_lab.wsman import write_ntlm_users

#: Where what serves the whole estate is found.
_COMMON_ADDRESS = "127.0.0.1"

#: An administrator of every node.
USERNAME = "OCTOLAB\\admin"


@dataclass(frozen=True, slots=True)
class EstateOptions:
    """What a lab is to be. ``powershell``: a program to run the agent's script with."""

    nodes: int
    speed: float
    faults: Sequence[str]
    profile: Path
    powershell: Path | None = None


class Estate:
    """The running lab. An asynchronous context manager; all of it answers within the block.

    Raises ValueError for options that cannot be, OSError and PowerShellMissing where this machine
    does not let it.
    """

    def __init__(self, options: EstateOptions) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._stopping = asyncio.Event()
        self.profile = ProfileFile(options.profile)
        self.control_url = ""
        self.world: World

    async def __aenter__(self) -> Self:
        self.profile.check()
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def stop(self) -> None:
        """Asks for the end. May be called by a signal handler through the event loop."""
        self._stopping.set()

    async def stopped(self) -> None:
        """Waits until somebody asked for the end."""
        await self._stopping.wait()

    async def _start(self, stack: AsyncExitStack) -> None:
        options = self._options
        root = Path(tempfile.mkdtemp(prefix="octotui-lab-"))
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        self.world = World.create(
            options.nodes,
            clock=ScaledClock(options.speed),
            faults=options.faults,
            root=str(root),
        )
        folder = self.profile.prepare()
        stack.callback(self.profile.remove_folder)
        addresses = {name: own_address(k) for k, name in enumerate(self.world.node_names, 1)}
        certificate = issue((_COMMON_ADDRESS, *addresses.values()), folder)
        settings = ApiSettings(_api_key())
        users = {USERNAME: secrets.token_urlsafe(18)}
        write_ntlm_users(folder / "ntlm-users", users)
        hosts: dict[str, WindowsHost] = {}
        control = Door(control_application(self.world, hosts, self.stop), _COMMON_ADDRESS, None)
        self.control_url = control.url
        around = Surroundings(
            world=self.world,
            waiter=Waiter(self.world.schedule),
            certificate=certificate,
            api=settings,
            users=users,
            powershell=options.powershell,
            control_url=control.url,
        )
        nodes = [EstateNode(name, address, around) for name, address in addresses.items()]
        hosts |= {node.name: node.host for node in nodes}
        await _open(stack, control)
        for node in nodes:
            await stack.enter_async_context(node)
        balancer = await self._serve_balancer(stack, certificate, settings)
        self.profile.write(
            LabAddresses(
                balancer_url=balancer.url,
                feed_settings={},
                nodes=[node.found_at for node in nodes],
                username=USERNAME,
                password=users[USERNAME],
                api_key=settings.api_key,
            ),
            certificate.authority_pem,
        )

    async def _serve_balancer(
        self, stack: AsyncExitStack, certificate: ServerCertificate, settings: ApiSettings
    ) -> Door:
        respond = Balancer(self.world, settings).respond
        door = Door(application(respond), _COMMON_ADDRESS, certificate.context)
        await _open(stack, door)
        return door


async def _open(stack: AsyncExitStack, door: Door) -> None:
    stack.push_async_callback(door.stop)
    await door.start()


def _api_key() -> str:
    letters = string.ascii_uppercase + string.digits
    return "API-" + "".join(secrets.choice(letters) for _ in range(31))
