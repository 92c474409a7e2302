"""The product as its users have it: child processes of the command line, and a lab to upgrade."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Another installation is put to the same tests by naming its Python in OCTOTUI_UNDER_TEST.
OCTOTUI = (os.environ.get("OCTOTUI_UNDER_TEST", sys.executable), "-m", "octotui")

#: Children run here, so that nothing of the checkout is importable by accident.
ELSEWHERE = tempfile.gettempdir()

#: Nothing that is waited for here takes longer; a hang becomes a failure with its output.
LIMIT = 180


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of ``--json``."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


def octotui(*arguments: str | Path, **environment: str) -> Ended:
    """Runs the command line to its end, without a terminal."""
    done = subprocess.run(
        [*OCTOTUI, *(str(argument) for argument in arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={**os.environ, **environment},
        cwd=ELSEWHERE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Lab:
    """A lab that runs. ``control`` is its control address."""

    profile: Path
    control: str

    def truth(self, *, final: bool = True) -> dict[str, Any]:
        """What really happened, by the lab's own account; ``final``: nothing is to come."""
        query = "?final=1" if final else ""
        with urllib.request.urlopen(f"{self.control}/truth{query}") as answer:
            result: dict[str, Any] = json.load(answer)
            return result

    def fault(self, text: str) -> None:
        body = json.dumps({"fault": text}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.control}/fault", body, headers)
        urllib.request.urlopen(request).close()


@contextmanager
def lab_up(
    folder: Path, *, nodes: int = 3, speed: float = 60, faults: Sequence[str] = (), **more: str
) -> Iterator[Lab]:
    """``octotui lab up`` as a child process, for as long as the block lasts."""
    profile = folder / "lab.toml"
    command = [*OCTOTUI, "lab", "up", f"--nodes={nodes}", f"--speed={speed}"]
    command += [f"--fault={fault}" for fault in faults]
    command += [f"--{name}={value}" for name, value in more.items()]
    child = subprocess.Popen(
        [*command, f"--profile={profile}"], stdout=subprocess.PIPE, text=True, cwd=ELSEWHERE
    )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        assert line.startswith("ready control="), line
        yield Lab(profile, line.split()[1].removeprefix("control="))
    finally:
        child.terminate()
        assert child.wait(20) == 0, "the lab did not end by itself"
        child.stdout.close()
