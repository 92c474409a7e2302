"""A Windows program of a simulated node: msiexec.exe or Octopus.Server.exe.

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


def _ask(call: str, arguments: Mapping[str, object]) -> dict[str, Any]:
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


def main(argv: Sequence[str]) -> int:
    """The program that ``argv[0]`` names; its 32-bit exit code."""
    code = run_in_world(argv)
    if Path(argv[0]).name.lower() == "msiexec.exe":
        refresh_registry(
            Path(os.environ["PWSH_REGISTRY_JSON"]),
            os.environ["OCTOTUI_LAB_CONTROL"],
            os.environ["OCTOTUI_LAB_NODE"],
        )
    return code


def leave(code: int) -> NoReturn:
    """Ends with the code. Only eight bits get through here, so the shim finds it in a file."""
    sys.stdout.flush()
    file = Path(os.environ["OCTOTUI_LAB_ROOT"]) / ".exit-codes" / str(os.getpid())
    if 0 <= code <= 255:
        file.unlink(missing_ok=True)
    else:
        file.write_text(str(code), encoding="ascii")
    os._exit(code & 0xFF or (1 if code else 0))


if __name__ == "__main__":
    try:
        leave(main(sys.argv[1:]))
    except WorldError as error:
        sys.stderr.write(f"{sys.argv[1]}: {error}\n")
        leave(100)
