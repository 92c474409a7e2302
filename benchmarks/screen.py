"""What the cockpit costs, beside its budgets: the whole of it, attached to a run that is fed.

Another process feeds a journal and logs as a runner does; the cockpit works in a pseudo terminal,
and this process reads what comes out. What depends on the machine is told as a ratio, or beside
what an application without anything has at the same time on the same machine.

Exit code 1 where a budget is exceeded by more than the machine explains, which is measured in the
same run and without the cockpit: for lags the 99th percentile of an empty application's, for
the first paint how far the upper quartile of the empty application's starts lies above their
median, for a run's duration how far the runs beside a terminal that is read differ. Bytes, memory,
keys and what was lost are given no such allowance.

Linux only: it reads /proc. Usage: python benchmarks/screen.py [--seconds 5] [--peers]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import screen_loss
from screen_load import Feeder, feeding, prepare
from screen_terminal import Terminal

CHILD = Path(__file__).with_name("screen_child.py")
EMPTY = (
    "from textual.app import App\nclass Empty(App): BINDINGS = [('q', 'quit', '')]\nEmpty().run()"
)
#: Starts of each kind for the first paint; the first of each warms up.
STARTS = 8
#: The first content of ours: the run's head line has its versions.
HEAD = b"2025.4.10428"


@dataclass
class Row:
    """A measurement. ``budget`` None: it is there to be compared with.

    ``noise``: so much of the value may be the machine's.
    """

    title: str
    value: float
    budget: float | None = None
    unit: str = ""
    noise: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.budget is not None and self.value > self.budget

    @property
    def fails(self) -> bool:
        return self.budget is not None and self.value - self.noise > self.budget


@contextmanager
def run(nodes: int, *, works: bool = True, **rates: float) -> Iterator[tuple[Feeder, dict, str]]:
    """A run that is fed, the environment that finds it, and a folder for answers."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        path = prepare(state, nodes, works=works)
        changes, rate = rates.get("changes", 0), int(rates.get("rate", 0))
        with feeding(path, nodes=nodes, changes=changes, rate=rate) as feeder:
            yield feeder, {"OCTOTUI_STATE_DIR": str(state)}, folder


def paints(_: float) -> list[Row]:
    """Side by side in turns, so that the machine's load is the same for both."""
    empty, ours, useful = [], [], []
    with run(16) as (_, environment, _folder):
        for _ in range(STARTS):
            terminal = Terminal([sys.executable, "-c", EMPTY], environment)
            empty.append(terminal.until(b"")[0])
            terminal.end()
            terminal = Terminal([sys.executable, "-m", "octotui", "attach"], environment)
            head, nodes = terminal.until_all(HEAD, b"OCTO9 ")
            ours.append(head)
            useful.append(nodes)
            terminal.end()
    floor = statistics.median(empty[1:])
    _, _, slow = statistics.quantiles(empty[1:])
    ratio = statistics.median(ours[1:]) / floor
    return [
        Row("first content of attach, times an empty app's", ratio, 1.4, noise=slow / floor - 1),
        Row("  the nodes on it, times an empty app's", statistics.median(useful[1:]) / floor),
        Row("  an empty app's first paint", floor * 1000, None, "ms"),
    ]


def load(seconds: float, *, columns: int = 120, rows: int = 40, empty: bool = False,
         works: bool = True, nodes: int = 16, **rates: float) -> dict[str, Any]:  # fmt: skip
    """One run of the cockpit under a load: what it says of itself and what came out of it."""
    with run(nodes, works=works, **rates) as (feeder, environment, folder):
        child = {"empty": empty, "answer": f"{folder}/answer.json"}
        command = [sys.executable, str(CHILD), json.dumps(child)]
        terminal = Terminal(command, environment, columns=columns, rows=rows)
        terminal.until(b"" if empty else b"OCTO1 ")
        terminal.listen(2.0)  # the start is the first paint's business
        begun = time.monotonic()
        feeder.go(seconds)
        heard = terminal.listen(seconds, pack=True)
        ended = time.monotonic()
        written = feeder.written()
        terminal.listen(2.0)  # what was written last is still to be shown
        if not terminal.is_alive:
            raise SystemExit("the cockpit ended by itself; octotui attach to a run tells more")
        terminal.end()
        answer = json.loads(Path(child["answer"]).read_text())
    lags = [lag for lag in answer.pop("lags") if begun <= lag[0] <= ended]
    return answer | {
        "lag": p99(lag for _, lag, _ in lags),
        "own": p99(own for _, _, own in lags),
        "raw": heard.raw / seconds,
        "packed": heard.packed / seconds,
        "written": written,
    }


def p99(values: Iterator[float]) -> float:
    found = sorted(values)
    return found[int(len(found) * 0.99)] * 1000


def lost(found: dict[str, Any]) -> float:
    """Lines and events that were written and not shown, and lines out of their node's order."""
    written = found["written"]
    missing = written["lines"] - found["lines"] + written["seq"] - found["seq"]
    return abs(missing) + float(found["faults"])


def loads(seconds: float) -> list[Row]:
    busy = {"nodes": 200, "changes": 10.0, "rate": 1000.0, "columns": 160, "rows": 50}
    floor = load(seconds, empty=True, **busy)
    many = load(max(10.0, seconds), **busy)  # ten thousand lines, for the memory
    flood = load(seconds, **{**busy, "rate": 20000.0})
    small = load(seconds, nodes=16, changes=1.0, rate=1000.0)
    calm = load(seconds, nodes=16, works=False)
    mean = "200 nodes x 10/s, 1,000 lines/s"
    return [
        Row(f"{mean}: lag p99", many["lag"], 15, "ms", noise=floor["lag"]),
        Row("  of it the cockpit's own work, p99", many["own"], None, "ms"),
        Row("  lag p99 of an empty app beside the same feeder", floor["lag"], None, "ms"),
        Row("  lines and events lost or out of order", lost(many), 0),
        Row(
            "200 nodes x 10/s, 20,000 lines/s: lag p99", flood["lag"], 50, "ms", noise=floor["lag"]
        ),
        Row("  of it the cockpit's own work, p99", flood["own"], None, "ms"),
        Row("  lines and events lost or out of order", lost(flood), 0),
        Row("120x40, 16 nodes, 1,000 lines/s: raw", small["raw"] / 1000, 60, "kB/s"),
        Row("  through zlib, flushed at each write", small["packed"] / 1000, 6, "kB/s"),
        Row("only clocks tick", calm["raw"], 250, "B/s"),
        Row("memory at its peak, 200 nodes, 10,000 lines", many["peak"], 60, "MB"),
        Row("  with as many lines as are kept", flood["peak"], 60, "MB"),
    ]


def keys(seconds: float) -> list[Row]:
    """At random moments of the tick, while only clocks tick."""
    with run(16, works=False) as (_, environment, _folder):
        terminal = Terminal([sys.executable, "-m", "octotui", "attach"], environment)
        terminal.until(b"OCTO1 ")
        terminal.listen(2.0)
        waits = []
        for n in range(int(seconds * 8)):
            waits.append(terminal.press((b"\x1b[B", b"\x1b[A")[n // 8 % 2]))
            terminal.listen(0.05 + random.random() * 0.1)
        terminal.end()
    waits.sort()
    return [Row("key to first byte, p95", waits[int(len(waits) * 0.95)] * 1000, 40, "ms")]


def losses(seconds: float) -> list[Row]:
    found = []
    titles = ("terminal closed: client gone after", "  closed after nobody read it")
    for title, stalled in zip(titles, (0.0, seconds), strict=True):
        with run(16, changes=10.0, rate=2000.0) as (feeder, environment, _folder):
            terminal = Terminal([sys.executable, "-m", "octotui", "attach"], environment)
            terminal.until(b"OCTO1 ")
            feeder.go(seconds + 1.0)
            terminal.listen(1.0)
            time.sleep(stalled)  # its buffer fills up, and the client stands in a write
            terminal.hang_up()
            gone = terminal.wait(10.0)
            found.append(Row(title, 99.0 if gone is None else gone, 1.0, "s"))
            feeder.written()
    return found


def delays(_: float) -> list[Row]:
    title = "run beside a terminal nobody reads, times one that is read"
    ratio, spread = screen_loss.delay()
    return [
        Row(title, ratio, 1.1, noise=spread),
        Row("  the runs beside one that is read differ by, times", spread),
    ]


def show(rows: list[Row]) -> None:
    for row in rows:
        over = (
            "  OVER" if row.fails else "  over, as far as the machine goes" if row.is_over else ""
        )
        budget = f"{row.budget:>8g}" if row.budget is not None else " " * 8
        print(f"{row.title:<62}{row.value:>10.2f}{budget} {row.unit}{over}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--peers", action="store_true", help="measure other programs beside it")
    options = parser.parse_args()
    if options.peers:
        import screen_peers

        return screen_peers.main(options.seconds)
    print(f"{'':<62}{'measured':>10}{'budget':>8}")
    failed = False
    for part in (paints, loads, keys, losses, delays):
        rows = part(options.seconds)
        show(rows)  # at once: what was measured is worth having alone
        failed = failed or any(row.fails for row in rows)
    print(f"load of the machine: {' '.join(f'{n:.2f}' for n in os.getloadavg())}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
