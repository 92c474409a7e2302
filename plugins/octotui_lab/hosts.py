"""A simulated Windows host: the primitive calls that an agent makes, each asked of the world.

The Python agent (``agent.py``) uses the methods, the PowerShell shim ``call``, which offers the
same by name with JSON-able arguments and results (``host_calls.py`` lists them).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octotui_lab import host_calls, host_files, host_registry
from octotui_lab.model import installer, server_verbs
from octotui_lab.model.msi_arguments import install_directory, parse
from octotui_lab.model.program import Program
from octotui_lab.model.sql import Statement
from octotui_lab.model.state import (
    INSTANCE,
    SERVICE,
    SERVICE_ACCOUNT,
    WATCHDOG_TASK,
    Node,
    StartType,
)
from octotui_lab.network import LoopbackNetwork, Network
from octotui_lab.waiting import Waiter
from octotui_lab.world import World

SYSTEM = "NT AUTHORITY\\SYSTEM"
_OS = "Microsoft Windows Server 2022 Standard 10.0.20348"
_POWERSHELL = "5.1.20348.2849"
_DISK_SIZE = 128 * 1024**3
_DISK_FREE = 85 * 1024**3


@dataclass(eq=False)
class Background:
    """Work of the host's own, and how many bytes of output it has written so far."""

    task: asyncio.Task[None]
    output_size: int = 0


class WindowsHost:
    """One node's Windows, below a real folder ``root/NAME`` (paths are real paths of this machine):
    ``ProgramData``, ``Program Files/Octopus Deploy/Octopus``, ``Octopus`` (home), ``Temp``.

    ``server_program`` is the content of Octopus.Server.exe as it is laid into the install
    directory, made executable (the shim's own script; by default a short text).
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        waiter: Waiter,
        network: Network | None = None,
        server_program: bytes = b"Octopus Server of the lab\n",
    ) -> None:
        """Lays the node's folders and installed files down."""
        self.world = world
        self.name = name
        self.waiter = waiter
        self.network: Network = network or LoopbackNetwork()
        node = world.cluster.nodes[name]
        self.root = Path(node.root)
        self.program_data = self.root / "ProgramData"
        self.octotui_directory = self.program_data / "octotui"
        self.home = Path(server_verbs.home(node))
        #: Where the server is, or would be, installed.
        self.install_directory = Path(install_directory(node))
        #: What runs on this host whether or not anybody is connected, by the name it was given.
        self.background: dict[str, Background] = {}
        #: Machine-wide mutexes that are held now.
        self.mutexes: set[str] = set()
        self._calls = host_calls.HostCalls(self)
        self._files = host_files.HostFiles(
            self.root, self.program_data, self.home, self.install_directory, server_program
        )
        self._staged: set[tuple[str, str]] = set()
        self.node  # noqa: B018 -- lays the files down

    @property
    def node(self) -> Node:
        """The node's state, up to now, with its files on disk as the world says."""
        node = self.world.cluster.nodes[self.name]
        self._files.lay(node)
        return node

    async def call(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """One primitive by name, for the shim: see ``host_calls``. Raises ValueError."""
        return await self._calls.call(name, args)

    def in_background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Starts work that belongs to the host and not to whoever asked for it."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name} {name}")
        self.background[name] = Background(task)

        def ended(_: asyncio.Task[None]) -> None:
            del self.background[name]
            self.world.schedule.changed()

        task.add_done_callback(ended)

    def wrote(self, name: str, size: int) -> None:
        """Background work has written output, ``size`` bytes in all: wakes whoever waits for it."""
        self.background[name].output_size = size
        self.world.schedule.changed()

    def new_process_id(self) -> int:
        return self.node.new_process_id()

    async def close(self) -> None:
        """Ends everything that runs in the background."""
        tasks = [work.task for work in self.background.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- looking -----------------------------------------------------------------------------------

    def system(self, user: str) -> dict[str, Any]:
        """Who and where somebody is who logged on as ``user``."""
        node = self.node
        return {
            "computer": self.name,
            "os": _OS,
            "powershell": _POWERSHELL,
            "identity": self.identity(user),
            "elevated": True,
            "time": self.world.schedule.now,
            "boot_time": node.boot_time,
        }

    def identity(self, user: str) -> str:
        """The full name of an account: local ones belong to this computer."""
        return user if "\\" in user or "@" in user else f"{self.name}\\{user}"

    def services(self) -> list[dict[str, Any]]:
        """The Windows services that run Octopus.Server.exe."""
        service = self.node.service
        return [
            {
                "name": SERVICE,
                "display_name": SERVICE,
                "state": service.state,
                "start_type": service.start_type,
                "process_id": service.process_id,
                "account": SERVICE_ACCOUNT,
                "path": f'"{self.executable}" run --instance={INSTANCE}',
            }
        ]

    def processes(self) -> list[dict[str, Any]]:
        """The processes of Octopus.Server.exe and msiexec."""
        node = self.node
        found = [
            {
                "process_id": program.id,
                "name": f"{program.name}.exe",
                "command_line": program.command_line,
                "started": program.started,
            }
            for program in node.programs.values()
        ]
        if node.service.process_id:
            found.append(
                {
                    "process_id": node.service.process_id,
                    "name": "Octopus.Server.exe",
                    "command_line": f'"{self.executable}" run --instance={INSTANCE}',
                    "started": node.service.process_started,
                }
            )
        return sorted(found, key=lambda process: int(str(process["process_id"])))

    def scheduled_tasks(self) -> list[dict[str, Any]]:
        """The scheduled tasks in the root folder."""
        enabled = self.node.watchdog_enabled
        if enabled is None:
            return []
        action = f'"{self.executable}" checkservices --instances=*'
        return [{"name": WATCHDOG_TASK, "path": "\\", "enabled": enabled, "action": action}]

    def registry(self) -> dict[str, dict[str, Any]]:
        """The registry's keys that matter here, with their values."""
        return host_registry.keys(self.node, str(self.install_directory))

    @property
    def executable(self) -> Path:
        return self.install_directory / "Octopus.Server.exe"

    def file_version(self, path: str) -> str:
        """The version resource of a file; empty where it has none or does not exist."""
        node = self.node
        ours = {"octopus.server.exe", "octopus.server.dll", "octopus.core.dll"}
        file = Path(path)
        inside = os.path.normpath(file.parent) == os.path.normpath(self.install_directory)
        if inside and file.name.lower() in ours and file.exists():
            return node.version
        return ""

    def signature(self, path: str, sha256: str) -> tuple[str, str]:
        """A file's Authenticode status and signer, by its hash; asking for it is the proof (R5)."""
        node = self.node
        if os.path.normpath(path) == os.path.normpath(self.executable) and node.version:
            return ("Valid", node.signer) if node.signer else ("NotSigned", "")
        package = self.world.catalogue.by_hash(sha256)
        if package is not None:
            self.world.file_proved(self.name, package.sha256)
            return "Valid", package.signer
        if path.lower().endswith((".msi", ".part")):
            # A signed file whose content was changed still names its signer.
            return "HashMismatch", self.world.catalogue.packages[0].signer
        return "NotSigned", ""

    def disks(self) -> list[dict[str, Any]]:
        """The drives; sizes in bytes."""
        full = self.world.fault(self.name, "disk-full") is not None
        free = installer.DISK_FULL_FREE if full else _DISK_FREE
        return [{"name": "C:", "free": free, "size": _DISK_SIZE, "root": str(self.root)}]

    def installer_busy(self) -> bool:
        """Whether somebody holds Windows Installer's mutex."""
        return installer.busy(self.world.cluster, self.node)

    # -- changing ----------------------------------------------------------------------------------

    def start_service(self, name: str, by: str = "Start-Service") -> str:
        """Asks for a start; why it was refused, or empty."""
        self._known_service(name)
        return self.world.start_service(self.name, by)

    def stop_service(self, name: str, by: str = "Stop-Service") -> None:
        self._known_service(name)
        self.world.stop_service(self.name, by)

    def set_start_type(self, name: str, start_type: StartType) -> None:
        self._known_service(name)
        if not self._stays("start-type-stays"):
            self.world.set_start_type(self.name, start_type)

    def set_task_enabled(self, name: str, enabled: bool) -> None:
        if name != WATCHDOG_TASK or self.node.watchdog_enabled is None:
            raise ValueError(f"there is no scheduled task {name!r}")
        if not self._stays("watchdog-stays"):
            self.world.set_watchdog(self.name, enabled)

    def kill_process(self, process_id: int) -> None:
        if not self.world.kill_process(self.name, process_id):
            raise ValueError(f"there is no process {process_id}")

    def start_msiexec(self, arguments: Sequence[str], user: str) -> Program:
        """Starts msiexec with its arguments (without the program's own name)."""
        package = parse(arguments).package
        sha256 = None
        if package and Path(package).is_file():
            sha256 = host_files.sha256_of(Path(package))
        return self.world.start_msiexec(self.name, arguments, user, sha256)

    def start_octopus_server(self, arguments: Sequence[str], user: str) -> Program:
        """Starts Octopus.Server.exe. Raises FileNotFoundError where it is not installed."""
        return self.world.start_octopus_server(self.name, arguments, user)

    async def msiexec(self, arguments: Sequence[str], user: str) -> int:
        """Runs msiexec to its end: the exit code. Its log lies where ``/l*v`` says."""
        return await self.finish(self.start_msiexec(arguments, user))

    async def octopus_server(
        self, arguments: Sequence[str], user: str, output: Callable[[str], None]
    ) -> int:
        """Runs Octopus.Server.exe with these arguments: each line to ``output``, exit code."""
        return await self.finish(self.start_octopus_server(arguments, user), output)

    async def finish(
        self, program: Program, output: Callable[[str], None] = lambda line: None
    ) -> int:
        """Waits for a program's end, handing its lines on as they come; the exit code."""
        exit_code = -1

        def ended() -> bool:
            nonlocal exit_code
            if program.exit_code is None:
                return False
            exit_code = program.exit_code
            return True

        await self.waiter.stream(program.lines, ended, output)
        self.keep_log(program)
        return exit_code

    def keep_log(self, program: Program) -> None:
        """Writes the log file that an ended msiexec was asked for, in UTF-16 as Windows does."""
        self._files.lay(self.world.cluster.nodes[self.name])
        log = parse(program.arguments).log if program.name == "msiexec" else ""
        if log and Path(log).parent.is_dir():
            Path(log).write_text("\r\n".join((*program.log, "")), encoding="utf-16", newline="")

    async def sql(
        self, text: str, identity: str, output: Callable[[str], None] = lambda line: None
    ) -> Statement:
        """Sends a statement and waits for its end, handing messages on as they come."""
        statement = self.world.start_sql(self.name, text, identity)
        await self.waiter.stream(statement.messages, lambda: statement.done, output)
        return statement

    def notice_staged(self) -> None:
        """Looks into the packages folder and tells the world of files that are new there."""
        folder = self.octotui_directory / "packages"
        if not folder.is_dir():
            return
        present = set()
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.suffix != ".part":
                key = (file.name, host_files.sha256_of(file))
                present.add(key)
                if key not in self._staged:
                    self.world.file_staged(self.name, *key, file.stat().st_size)
        self._staged = present

    def _stays(self, fault: str) -> bool:
        """Whether a change is reported as made but does not take effect."""
        return self.world.cluster.faults.take(self.node.scope, fault) is not None

    def _known_service(self, name: str) -> None:
        if name != SERVICE:
            raise ValueError(f"there is no service {name!r}")
