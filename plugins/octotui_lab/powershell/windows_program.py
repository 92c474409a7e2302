"""A Windows program of a simulated node: msiexec.exe, Octopus.Server.exe, sc.exe, icacls.exe.

Run by a two-line shell script of that name. Asks the lab's world for what the program does, prints
what it says and ends with its exit code. Imports little: it starts often.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from octotui_lab.powershell.registry import refresh_registry
from octotui_lab.powershell.world_client import WorldError, ask

#: Seconds that one question waits for the program's news.
_WAIT = 20

_START_TYPES = {
    "auto": "automatic",
    "delayed-auto": "automatic-delayed",
    "demand": "manual",
    "disabled": "disabled",
}


def _ask(call: str, arguments: Mapping[str, object] | None = None) -> dict[str, Any]:
    return ask(os.environ["OCTOTUI_LAB_CONTROL"], os.environ["OCTOTUI_LAB_NODE"], call, arguments)


def run_in_world(argv: Sequence[str]) -> int:
    """Runs the program in the world, its lines printed as they come."""
    user = os.environ.get("OCTOTUI_LAB_IDENTITY", "")
    program = _ask("program-start", {"argv": list(argv), "user": user})["id"]
    offset = 0
    while True:
        news = _ask("program-wait", {"id": program, "offset": offset, "wait": _WAIT})
        for line in news["lines"]:
            sys.stdout.write(f"{line}\r\n")
        sys.stdout.flush()
        offset += len(news["lines"])
        if news["exit_code"] is not None:
            return int(news["exit_code"])


def service_control(arguments: Sequence[str]) -> int:
    """sc.exe: ``config NAME start= TYPE``, ``query``, ``start`` and ``stop`` of a service."""
    verb, name = [*arguments, "", ""][:2]
    services = {service["name"]: service for service in _ask("services")["services"]}
    if name not in services:
        _print(f"[SC] OpenService FAILED 1060: {name} is not an installed service.")
        return 1060
    words = list(arguments[2:])
    if verb == "config" and "start=" in words[:-1]:
        word = words[words.index("start=") + 1]
        if word in _START_TYPES:
            _ask("set-start-type", {"name": name, "start_type": _START_TYPES[word]})
            _print("[SC] ChangeServiceConfig SUCCESS")
            return 0
    if verb == "query":
        _print(f"SERVICE_NAME: {name}\r\n        STATE : {services[name]['state'].upper()}")
        return 0
    if verb in ("start", "stop"):
        answer = _ask(f"{verb}-service", {"name": name})
        _print(answer["message"])
        return 0 if answer["started" if verb == "start" else "stopped"] else 1
    _print(f"[SC] {' '.join(arguments)}: not understood")
    return 1639


def main(argv: Sequence[str]) -> int:
    """The program that ``argv[0]`` names; its 32-bit exit code."""
    program = Path(argv[0]).name.lower()
    if program == "sc.exe":
        return service_control(argv[1:])
    if program == "icacls.exe":
        # Ownership and rights of the lab's folders are those of the person who runs it.
        _print("Successfully processed 1 files; Failed processing 0 files")
        return 0
    code = run_in_world(argv)
    if program == "msiexec.exe":
        refresh_registry(
            Path(os.environ["PWSH_REGISTRY_JSON"]),
            os.environ["OCTOTUI_LAB_CONTROL"],
            os.environ["OCTOTUI_LAB_NODE"],
        )
    return code


def leave(code: int) -> NoReturn:
    """Ends with the code. Only eight bits get through here, so the shim finds it in a file."""
    sys.stdout.flush()
    if not 0 <= code <= 255:
        folder = Path(os.environ["OCTOTUI_LAB_ROOT"]) / ".exit-codes"
        (folder / str(os.getpid())).write_text(str(code), encoding="ascii")
    os._exit(code & 0xFF or (1 if code else 0))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\r\n")


if __name__ == "__main__":
    try:
        leave(main(sys.argv[1:]))
    except WorldError as error:
        sys.stderr.write(f"{sys.argv[1]}: {error}\n")
        leave(100)
