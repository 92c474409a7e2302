"""A simulated Windows host: the primitive calls that an agent makes, each asked of the world.

The Python agent (``agent.py``) uses the methods; the PowerShell shim uses ``call``, the same by
name with JSON-able arguments and results. The interface is settled; its body is being filled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from octotui_lab.waiting import Waiter
from octotui_lab.world import World


class Network(Protocol):
    """How a host reaches other hosts; the default speaks real HTTP."""

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        """Status and body; status 0 when nothing answers. Certificates are not checked."""
        ...

    async def download(self, url: str, to: Path, progress: Callable[[int], None]) -> None:
        """Streams a file. Raises OSError with a sentence where it cannot be had."""
        ...


class WindowsHost:
    """One node's Windows, below a real folder ``root/NAME`` (paths are real paths of this machine):
    ``ProgramData``, ``Program Files/Octopus Deploy/Octopus``, ``Octopus`` (home), ``Temp``.

    ``server_program`` is the content of Octopus.Server.exe as it is laid into the install
    directory, made executable (the shim's own script; by default a short text).
    """

    name: str
    root: Path
    program_data: Path
    octotui_directory: Path
    home: Path
    #: What the registry names as InstallLocation; the default while nothing is installed.
    install_directory: Path
    world: World
    waiter: Waiter

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

    async def call(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """One primitive by name, for the shim. Unknown names and bad arguments: ValueError.

        ========================= ========================== ==========================================
        name                      args                       result
        ========================= ========================== ==========================================
        system                    user                       computer, os, identity, elevated, time,
                                                             boot_time, powershell
        services                                             services: [{name, display_name, state,
                                                             start_type, process_id, account, path}]
                                                             (start_type as in octotui.api.facts, path
                                                             = command line with --instance=NAME)
        start-service             name                       started (bool), message: as Start-Service
        stop-service              name                       stopped (bool), message
        set-start-type            name, start_type           {}
        scheduled-tasks                                      tasks: [{name, path, enabled, action}]
        set-task-enabled          name, enabled              {}
        registry                                             keys: {KEY: {VALUE: data}}: InstallLocation,
                                                             Uninstall entries, pending reboot marks
        processes                                            processes: [{process_id, name,
                                                             command_line, started}]
        kill-process              process_id                 {}
        file-version              path                       version ("" where the file has none)
        signature                 path, sha256               status, signer (subject or ""). Counts as
                                                             the proof of that file on this node (R5)
        disks                                                disks: [{name, free, size, root}]
        installer-busy                                       busy (bool; the mutex _MSIExecute)
        program-start             argv, user                 id. argv[0] ends with msiexec.exe or
                                                             Octopus.Server.exe
        program-wait              id, offset, wait           lines (from that index), exit_code or None;
                                                             waits up to ``wait`` seconds for news
        sql-start                 statement, identity,       id, for sql-wait. identity: as the job's
                                  server                     run_as resolves: account name
        sql-wait                  id, wait                   done, rows ([{column: value}]), messages
                                                             (so far), error ("" or SQL Server's text)
        note-staged                                          {}: looks into the packages folder and
                                                             records new files as ``stage``
        ========================= ========================== ==========================================
        """
        raise NotImplementedError

    async def msiexec(self, argv: Sequence[str], user: str) -> int:
        """Runs msiexec with its arguments (without the program's own name) to its end: exit code.
        The verbose log lies where ``/l*v`` says.
        """
        raise NotImplementedError

    async def octopus_server(
        self, argv: Sequence[str], user: str, output: Callable[[str], None]
    ) -> int:
        """Runs Octopus.Server.exe with these arguments: each line to ``output``, exit code."""
        raise NotImplementedError


#: What a skin is given to run a command on: see ``shell.execute``.
Execute = Callable[[WindowsHost, Any], Awaitable[int]]
