"""The product as its users have it: child processes of the command line, and a lab to upgrade."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
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
    folder: Path, *, nodes: int = 3, speed: float = 300, faults: Sequence[str] = (), **more: str
) -> Iterator[Lab]:
    """``octotui lab up`` as a child process, for as long as the block lasts.

    So fast, by default, that a run takes as long as the programs do, not as the lab's installers.
    """
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


class InTerminal:
    """A command whose input and output are a terminal, as a person has it who reads lines."""

    def __init__(self, arguments: Sequence[str | Path]) -> None:
        import pty

        self._screen, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [*OCTOTUI, *(str(argument) for argument in arguments)],
            stdin=terminal, stdout=terminal, stderr=terminal, cwd=ELSEWHERE, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        self.shown = ""

    def until(self, text: str) -> None:
        """Reads on until this was shown."""
        deadline = time.monotonic() + LIMIT
        while text not in self.shown and time.monotonic() < deadline and self._read():
            pass
        assert text in self.shown, self.shown

    def ended(self) -> int:
        """Reads all that is still to come; the exit code."""
        while self._read():
            pass
        return self.process.wait(LIMIT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)

    def _read(self) -> bool:
        """Whether there is more to come."""
        if not select.select([self._screen], [], [], 1.0)[0]:
            return True
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@contextmanager
def in_a_terminal(*arguments: str | Path) -> Iterator[InTerminal]:
    """The command line in a terminal: a run waits there for whom it asks, and stays alive."""
    opened = InTerminal(arguments)
    try:
        yield opened
    except BaseException:
        end_runners()
        raise
    finally:
        opened.close()


def end_runners() -> None:
    """After a failure a run would wait for a person for ever."""
    for row in json.loads(octotui("runs", "--json").stdout):
        if row["alive"]:
            os.kill(row["pid"], signal.SIGKILL)


def hold_before(lab: Lab, phase: str) -> None:
    """Has the lab's runs stop before that phase and wait, also with ``--yes``."""
    text = lab.profile.read_text()
    assert "hold = []" in text
    lab.profile.write_text(text.replace("hold = []", f'hold = ["{phase}"]'))
