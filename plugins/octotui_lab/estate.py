"""A whole simulated estate on loopback ports: every server of a lab, in one event loop."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import string
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from aiohttp import web

from octotui_lab.balancer import Balancer
from octotui_lab.certificates import issue
from octotui_lab.clock import ScaledClock
from octotui_lab.control import control_application
from octotui_lab.door import Door, own_address
from octotui_lab.download_site import FAULTS, FEED_PATH, PACKAGE_PATH, make_site
from octotui_lab.estate_node import EstateNode, Surroundings
from octotui_lab.hosts import WindowsHost
from octotui_lab.octopus_http import octopus_application
from octotui_lab.octopus_messages import ApiSettings
from octotui_lab.profile_file import LabAddresses, ProfileFile
from octotui_lab.waiting import Waiter
from octotui_lab.world import INSTALLATION_ID, World
from octotui_lab.wsman import write_ntlm_users

#: The packages that the download site offers.
PACKAGES = Path(__file__).parent / "packages"

#: Where what serves the whole estate is found.
_COMMON_ADDRESS = "127.0.0.1"

#: An administrator of every node.
USERNAME = "OCTOLAB\\admin"


@dataclass(frozen=True, slots=True)
class EstateOptions:
    """What a lab is to be. ``powershell``: a program to run the agent's script with.

    ``installation_id``: every lab is the same cluster unless told otherwise.
    """

    nodes: int
    speed: float
    faults: Sequence[str]
    profile: Path
    powershell: Path | None = None
    installation_id: str = INSTALLATION_ID


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
        clock = ScaledClock(options.speed)
        world = World.create(
            options.nodes,
            clock=clock,
            faults=options.faults,
            root=str(root),
            installation_id=options.installation_id,
        )
        folder = self.profile.prepare()
        stack.callback(self.profile.remove_folder)
        addresses = {name: own_address(k) for k, name in enumerate(world.node_names, 1)}
        certificate = issue((_COMMON_ADDRESS, *addresses.values()), folder)
        self.profile.ca.write_bytes(certificate.authority_pem)
        if options.powershell is not None:
            stack.enter_context(_dotnet_trusts(self.profile.ca))
        users = {USERNAME: secrets.token_urlsafe(18)}
        write_ntlm_users(folder / "ntlm-users", users)
        hosts: dict[str, WindowsHost] = {}
        control = Door(control_application(world, hosts, self.stop), _COMMON_ADDRESS, None)
        await _open(stack, control)
        self.world, self.control_url = world, control.url
        around = Surroundings(
            world=world,
            waiter=Waiter(world.schedule),
            certificate=certificate,
            api=ApiSettings(_api_key()),
            users=users,
            powershell=options.powershell,
            control_url=control.url,
        )
        nodes = [EstateNode(name, address, around) for name, address in addresses.items()]
        # Before any node starts: a PowerShell of theirs asks at once.
        hosts |= {node.name: node.host for node in nodes}
        for node in nodes:
            await stack.enter_async_context(node)
        front = await _open_front(stack, around)
        lab = replace(front, nodes=[node.found_at for node in nodes])
        self.profile.write(lab)


async def _open_front(stack: AsyncExitStack, around: Surroundings) -> LabAddresses:
    """Opens what stands in front of the nodes: load balancer and download site."""
    balancer = Balancer(around.world, around.api)
    doors = [
        Door(application, _COMMON_ADDRESS, around.certificate.context)
        for application in (octopus_application(balancer.respond), _download_site(around.world))
    ]
    for door in doors:
        await _open(stack, door)
    ((username, password),) = around.users.items()
    return LabAddresses(
        balancer_url=doors[0].url,
        feed_url=doors[1].url + FEED_PATH,
        package_url=doors[1].url + PACKAGE_PATH,
        nodes=(),
        drain_deadline=_drain_deadline(around.world.schedule.clock.speed),
        username=username,
        password=password,
        api_key=around.api.api_key,
    )


@contextmanager
def _dotnet_trusts(authorities: Path) -> Iterator[None]:
    """The nodes' engines inherit this variable, by which .NET knows whom to trust."""
    name = "SSL_CERT_FILE"
    before = os.environ.get(name)
    os.environ[name] = str(authorities)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


async def _open(stack: AsyncExitStack, door: Door) -> None:
    stack.push_async_callback(door.stop)
    await door.start()


def _drain_deadline(speed: float) -> int:
    """A profile's usual half hour in the lab's time; not so short that a slow machine meets it."""
    return max(10, round(1800 / speed))


def _download_site(world: World) -> web.Application:
    def faults() -> list[str]:
        return [name for name in FAULTS if world.take_fault_of("download", name) is not None]

    return make_site(PACKAGES, faults)


def _api_key() -> str:
    letters = string.ascii_uppercase + string.digits
    return "API-" + "".join(secrets.choice(letters) for _ in range(31))
