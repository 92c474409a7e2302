"""Other programs of the terminal beside the cockpit, where they do the same thing.

Each has an environment of its own below .venv-peers, for each needs another Textual. Started by
``benchmarks/screen.py --peers``; the first time it needs a network or a package index.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from screen_load import feeding, prepare
from screen_terminal import Terminal

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
#: Seconds until a program that has painted is at rest.
SETTLES = 5.0


@dataclass
class Peer:
    """A program: how it is started in a folder, a key that changes something and its reverse."""

    name: str
    command: Callable[[Path], Sequence[str]]
    keys: tuple[bytes, bytes]


PEERS = (
    Peer("harlequin", lambda folder: ["harlequin", "-a", "sqlite", str(folder / "x.db")],
         (b"a", b"\x7f")),
    Peer("posting", lambda folder: ["posting", "--collection", str(folder)], (b"a", b"\x7f")),
    Peer("toolong", lambda folder: ["tl", str(_log(folder))], (b"\x1b[B", b"\x1b[A")),
)  # fmt: skip


def _log(folder: Path) -> Path:
    path = folder / "some.log"
    if not path.exists():
        path.write_text("".join(f"2026-01-31T12:00:00Z line {n}\n" for n in range(1000)))
    return path


def install(name: str) -> Path:
    """The folder of that program's commands. Raises SystemExit with what to do."""
    place = ROOT / ".venv-peers" / name
    if not (place / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        wanted = Path(__file__).with_name("peers") / f"{name}.txt"
        pip = [str(place / "bin" / "pip"), "install", "--quiet", "--requirement", str(wanted)]
        if subprocess.run(pip, check=False).returncode:
            raise SystemExit(
                f"{name} could not be installed into {place}: pip says why above. Peers need a "
                "network or a package index once; without --peers nothing is fetched."
            )
        (place / "ready").touch()
    return place / "bin"


def main(seconds: float) -> int:
    """Prints one table, the cockpit first."""
    rows = [_ours(seconds)]
    for peer in PEERS:
        commands = install(peer.name)
        with tempfile.TemporaryDirectory() as folder:
            home = {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder,
                    "XDG_STATE_HOME": folder, "XDG_CACHE_HOME": folder}  # fmt: skip
            name, *arguments = peer.command(Path(folder))
            command = [str(commands / name), *arguments]
            rows.append((peer.name, _at_rest(command, home, peer.keys)))
            if peer.name == "toolong":
                for rate in (100, 1000):
                    rows[-1][1].update(
                        _follows(command, home, _writer(_log(Path(folder))), rate, seconds)
                    )
    print(f"load of the machine: {' '.join(f'{n:.2f}' for n in os.getloadavg())}")
    titles = list(rows[0][1])
    print(f"{'':<38}" + "".join(f"{name:>12}" for name, _ in rows))
    for title in titles:
        print(f"{title:<38}" + "".join(
            f"{found[title]:>12.1f}" if title in found else f"{'-':>12}" for _, found in rows
        ))  # fmt: skip
    return 0


def _ours(seconds: float) -> tuple[str, dict[str, float]]:
    command = [sys.executable, "-m", "octotui", "attach"]
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        path = prepare(state, 16, works=False)
        environment = {"OCTOTUI_STATE_DIR": str(state)}
        with feeding(path, nodes=16, changes=0, rate=0):
            found = _at_rest(command, environment, (b"\x1b[B", b"\x1b[A"))
            for rate in (100, 1000):
                log = path / "logs" / "OCTO1.log"
                found |= _follows(command, environment, _writer(log), rate, seconds)
    return "octotui", found


def _at_rest(
    command: Sequence[str], environment: Mapping[str, str], keys: tuple[bytes, bytes]
) -> dict[str, float]:
    """First paint (median of three after a first), bytes and keys at rest, memory."""
    paints = []
    for _ in range(4):
        with _started(command, environment) as terminal:
            paints.append(terminal.until(b"")[0] * 1000)
    with _started(command, environment) as terminal:
        terminal.until(b"")
        terminal.listen(SETTLES)
        idle = terminal.listen(10.0).raw
        waits = []
        for n in range(40):
            waits.append(terminal.press(keys[n % 2]) * 1000)
            terminal.listen(0.1 + random.random() * 0.1)
        memory = _status(terminal.pid, "VmHWM") / 1024
    return {
        "first paint, ms": statistics.median(paints[1:]),
        "bytes in 10 s at rest": float(idle),
        "key to first byte, p95, ms": sorted(waits)[int(len(waits) * 0.95)],
        "memory at its peak, MB": memory,
    }


def _follows(
    command: Sequence[str], environment: Mapping[str, str], write: Callable[[int], None],
    rate: int, seconds: float,
) -> dict[str, float]:  # fmt: skip
    """A log that grows by ``rate`` lines a second."""
    with _started(command, environment) as terminal:
        terminal.until(b"")
        terminal.listen(2.0)
        os.write(terminal.screen, b"\x1b[F")  # the end, and on
        terminal.listen(1.0)
        ended = threading.Event()

        def feed() -> None:
            begun, written = time.monotonic(), 0
            while not ended.wait(0.02):
                due = int((time.monotonic() - begun) * rate)
                write(due - written)
                written = due

        thread = threading.Thread(target=feed)
        before = _cpu(terminal.pid)
        thread.start()
        heard = terminal.listen(seconds)
        if not terminal.is_alive:
            raise SystemExit(f"{command[0]} ended while it followed {rate:,} lines a second")
        cpu = _cpu(terminal.pid) - before
        ended.set()
        thread.join()
    return {
        f"{rate:,} lines/s: CPU, % of a core": cpu / seconds * 100,
        f"{rate:,} lines/s: kB/s": heard.raw / seconds / 1000,
    }


def _writer(path: Path) -> Callable[[int], None]:
    def write(count: int) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with path.open("a") as file:
            file.writelines(f"{stamp} Copying new files: {random.random()}\n" for _ in range(count))

    return write


@contextmanager
def _started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(command, environment)
    try:
        yield terminal
    finally:
        terminal.hang_up()
        if terminal.wait(3.0) is None:
            os.kill(terminal.pid, 9)
            os.waitpid(terminal.pid, 0)


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return float(line.split()[1])
    return 0.0


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
