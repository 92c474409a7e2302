"""What the cockpit's canvases cost, measured at a pseudo terminal, beside the budgets.

A child process shows timeline, clocks, node grid and log under a made-up load; this one reads what
comes out of the terminal. Every number that depends on the machine is printed with its load.

Linux only: it reads /proc. Usage: python benchmarks/screen.py [--seconds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import random
import select
import statistics
import struct
import sys
import tempfile
import termios
import time
import zlib
from pathlib import Path

TICK = 0.25


def child(load: dict) -> None:
    """The screen: what it measured of itself goes to the file ``load["answer"]``."""
    from textual.app import App, ComposeResult

    if load["empty"]:

        class Empty(App[None]):
            BINDINGS = [("q", "quit", "Quit")]

        Empty().run()
        return

    from octotui.tui.log_tail import LogTail
    from octotui.tui.widgets.clocks import Clocks
    from octotui.tui.widgets.log_view import LogView
    from octotui.tui.widgets.node_grid import NodeGrid
    from octotui.tui.widgets.timeline import PhaseTimeline
    from octotui.view import NodeView, RunView, StepView

    view, begun = RunView(), time.time() - 100.0
    view.state, view.last_stop, view.maintenance_on = "joining", begun, begun
    for n in range(load["nodes"]):
        name = f"OCTO{n + 1}"
        view.nodes[name] = NodeView(name, "2025.2.13071", "install", False)
        step = StepView(f"joining.install@{name}", "joining", "install the package", name, 75.0)
        step.state, step.started = "running", begun
        view.steps[step.id] = step
    if not load["changes"]:
        for step in view.steps.values():
            step.state = "pending"

    class Screen(App[None]):
        BINDINGS = [("q", "quit", "Quit")]
        CSS = "NodeGrid { height: 1fr; } LogView { height: 1fr; }"

        def compose(self) -> ComposeResult:
            yield PhaseTimeline()
            yield Clocks()
            yield NodeGrid()
            yield LogView()

        def on_mount(self) -> None:
            self.tail = LogTail(Path(load["logs"]))
            self.lags: list[float] = []
            self.lines = 0
            self.set_interval(TICK, self.tick)
            self.lag = asyncio.create_task(self.watch())

        async def watch(self) -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.005)
                self.lags.append(time.perf_counter() - before - 0.005)

        def tick(self) -> None:
            now = time.time()
            steps = list(view.steps.values())
            for _ in range(int(load["changes"] * load["nodes"] * TICK)):
                random.choice(steps).progress = f"copying files {random.randrange(100)}%"
            self.query_one(PhaseTimeline).show(view, now)
            self.query_one(Clocks).show(view, now)
            self.query_one(NodeGrid).show(view, now)
            lines = self.tail.poll()
            self.lines += len(lines)
            self.query_one(LogView).extend(lines)

    app = Screen()
    app.run()
    lags = sorted(app.lags[40:])  # the start is the first paint's business
    peak = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    cpu = time.process_time()
    answer = {
        "p99": lags[int(len(lags) * 0.99)] * 1000,
        "lines": app.lines,
        "peak": peak,
        "cpu": cpu,
    }
    Path(load["answer"]).write_text(json.dumps(answer))


def measure(
    *, nodes: int = 16, changes: float = 0, rate: int = 0, columns: int = 120, rows: int = 40,
    seconds: float = 5.0, keys: bool = False, empty: bool = False,
) -> dict:  # fmt: skip
    """One run of the child: bytes a second, first paint, keys, and what it says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "run" / "logs"
        logs.mkdir(parents=True)
        load = {"nodes": nodes, "changes": changes, "empty": empty, "logs": str(logs),
                "answer": f"{folder}/answer.json"}  # fmt: skip
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.environ.update(TEXTUAL_ANIMATIONS="none")
            os.execv(sys.executable, [sys.executable, __file__, "--child", json.dumps(load)])
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        found = _watch(terminal, logs, rate, seconds, keys)
        os.waitpid(pid, 0)
        os.close(terminal)
        if not empty:
            found |= json.loads(Path(load["answer"]).read_text())
        return found


def _watch(terminal: int, logs: Path, rate: int, seconds: float, keys: bool) -> dict:
    begun = time.perf_counter()
    packer = zlib.compressobj(6)
    raw = packed = written = 0
    paint = 0.0
    start: float | None = None
    waits: list[float] = []
    pressed: float | None = None
    next_key = 0.0
    files = [(logs / f"OCTO{n + 1}.log").open("a") for n in range(16)]
    while True:
        now = time.perf_counter()
        if start is None and paint and now - paint > 1.5:
            start, raw, packed = now, 0, 0  # the first second is the start
            next_key = now + 0.2
        if start is not None and now - start > seconds:
            break
        if start is not None and rate:
            due = int((now - start) * rate) - written
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            for _ in range(due):
                n = random.randrange(16)
                files[n].write(f"{stamp} Executing script {written} of the upgrade, in {n} ms\n")
                written += 1
            for file in files:
                file.flush()
        if keys and start is not None and pressed is None and now > next_key:
            os.write(terminal, random.choice((b"\x1b[B", b"\x1b[A")))
            pressed = time.perf_counter()
        if select.select([terminal], [], [], 0.002)[0]:
            data = os.read(terminal, 1 << 16)
            arrived = time.perf_counter()
            if not paint and len(data) > 400:
                paint = arrived
            if pressed is not None:
                waits.append(arrived - pressed)
                pressed, next_key = None, arrived + 0.113
            raw += len(data)
            packed += len(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))
    files_done = time.perf_counter() + 1.5
    while time.perf_counter() < files_done:  # what was written last is still to be shown
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 1 << 16)
    os.write(terminal, b"q")
    # Until it ends its output has to be read, or it waits for the terminal.
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:
        pass
    for file in files:
        file.close()
    keys_p95 = sorted(waits)[int(len(waits) * 0.95)] * 1000 if waits else 0.0
    return {"raw": raw / seconds, "packed": packed / seconds, "paint": (paint - begun) * 1000,
            "key": keys_p95, "written": written}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(json.loads(options.child))
        return 0
    seconds = options.seconds
    rows: list[tuple[str, float, float, str]] = []
    paints: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):  # side by side, so that the machine's load is the same for both
        for empty in (True, False):
            paints[empty].append(measure(seconds=0.1, empty=empty)["paint"])
    ratio = statistics.median(paints[False]) / statistics.median(paints[True])
    rows.append(("first paint, times that of an empty app", ratio, 1.4, ""))
    busy = measure(nodes=16, changes=1, rate=1000, seconds=seconds)
    rows.append(("120x40, 16 nodes, 1,000 lines/s: raw", busy["raw"] / 1000, 60, "kB/s"))
    rows.append(("the same through zlib", busy["packed"] / 1000, 6, "kB/s"))
    many = measure(nodes=200, changes=10, rate=1000, columns=160, rows=50, seconds=seconds)
    rows.append(("200 nodes x 10/s, 1,000 lines/s: lag p99", many["p99"], 15, "ms"))
    rows.append(("lines lost", many["written"] - many["lines"], 0, ""))
    flood = measure(nodes=200, changes=10, rate=20000, seconds=seconds)
    rows.append(("20,000 lines/s: lag p99", flood["p99"], 50, "ms"))
    rows.append(("memory, peak", max(busy["peak"], many["peak"], flood["peak"]), 60, "MB"))
    calm = measure(nodes=16, seconds=seconds)
    rows.append(("only clocks tick", calm["raw"], 250, "B/s"))
    rows.append(("key to first byte, p95", measure(seconds=seconds, keys=True)["key"], 40, "ms"))
    print(f"load of the machine: {' '.join(f'{n:.2f}' for n in os.getloadavg())}")
    print(f"{'':<44}{'measured':>12}{'budget':>10}")
    for title, value, budget, unit in rows:
        verdict = "" if value <= budget else "  OVER"
        print(f"{title:<44}{value:>12.1f}{budget:>10g} {unit}{verdict}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
