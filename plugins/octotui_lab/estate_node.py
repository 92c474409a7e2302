"""One simulated node with its servers: WinRM and its own REST API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from octotui_lab import shell
from octotui_lab.certificates import ServerCertificate
from octotui_lab.door import Door
from octotui_lab.hosts import WindowsHost
from octotui_lab.octopus_api import respond
from octotui_lab.octopus_http import octopus_application
from octotui_lab.octopus_messages import ApiRequest, ApiResponse, ApiSettings
from octotui_lab.profile_file import LabNode
from octotui_lab.remote import RemoteCommand
from octotui_lab.waiting import Waiter
from octotui_lab.world import World
from octotui_lab.wsman import Handler, WsmanEndpoint


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of an estate share. ``powershell`` runs the agent's script, if there is one;
    its shim asks ``control_url``. ``users``: accounts with their passwords.
    """

    world: World
    waiter: Waiter
    certificate: ServerCertificate
    api: ApiSettings
    users: Mapping[str, str]
    powershell: Path | None
    control_url: str


class EstateNode:
    """A node of the estate. An asynchronous context manager: both servers answer within the block.

    What the world says of the node is true of its ports: nothing listens for REST while the service
    is stopped, nor for WinRM while the node is unreachable.
    """

    def __init__(self, name: str, address: str, around: Surroundings) -> None:
        self.name = name
        self._around = around
        self._cluster = around.world.cluster
        self._state = self._cluster.nodes[name]
        self._stack = AsyncExitStack()
        self._execute: Handler = self._execute_in_python
        tls = around.certificate.context
        self._rest = Door(octopus_application(self._respond), address, tls)
        around.world.set_listen_prefixes(name, [f"{self._rest.url}/"])
        if around.powershell is None:
            self.host = WindowsHost(around.world, name, waiter=around.waiter)
        else:
            from octotui_lab.powershell.node import windows_program

            self.host = WindowsHost(
                around.world, name, waiter=around.waiter, server_program=windows_program()
            )
        self._endpoint = WsmanEndpoint(
            lambda command: self._execute(command),
            around.users,
            certificate=around.certificate.der,
        )
        self._winrm = Door(self._endpoint.application(), address, tls, self._admits)

    @property
    def found_at(self) -> LabNode:
        """Where a profile finds it."""
        return LabNode(self.name, self._rest.address, self._rest.url, self._winrm.port)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.host.close)
            if self._around.powershell is not None:
                await self._start_powershell(stack, self._around.powershell)
            for door, is_open in ((self._rest, self._listens), (self._winrm, self._reachable)):
                stack.push_async_callback(door.stop)
                await door.start()
                watch = asyncio.create_task(self._watch(door, is_open))
                stack.push_async_callback(_cancel, watch)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start_powershell(self, stack: AsyncExitStack, program: Path) -> None:
        from octotui_lab.powershell.engine import PowerShellEngine

        engine = PowerShellEngine(program, self.host.root, self._around.control_url, self.name)
        await stack.enter_async_context(engine)
        self._execute = engine.execute

    async def _execute_in_python(self, command: RemoteCommand) -> int:
        return await shell.execute(self.host, command)

    def _respond(self, request: ApiRequest) -> ApiResponse:
        return respond(self._around.world, self.name, request, self._around.api)

    # Conditions to wait for: they look at the state as it lies there, and must not move the world
    # on to the present, which would ask them again.

    def _listens(self) -> bool:
        """Whether somebody listens for REST: ``World.rest_state`` is not "refused"."""
        return self._state.service.state == "running"

    def _reachable(self) -> bool:
        fault = self._cluster.faults.find(self._state.scope, "unreachable")
        return fault is None or fault.left is not None

    def _admits(self) -> bool:
        """Asked for each connection to WinRM: faults limited by ``times=N`` count these."""
        world = self._around.world
        refused = world.take_fault(self.name, "wrong-credentials")
        self._endpoint.refuse_credentials = refused is not None
        return world.take_fault(self.name, "unreachable") is None

    async def _watch(self, door: Door, is_open: Callable[[], bool]) -> None:
        while True:
            if is_open():
                door.open()
            else:
                await door.close()
            await self._around.waiter.until(lambda: is_open() != door.is_open)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
