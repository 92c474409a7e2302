"""A real run of the lab, with a viewer whose terminal nobody reads: it must not be slower.

Started by benchmarks/screen.py.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from screen_terminal import Terminal

#: Nodes of the lab, and how many times faster than typical durations it is.
NODES, SPEED = 3, 40.0
#: Runs of either kind.
PAIRS = 4


def delay() -> tuple[float, float]:
    """The run's duration with an unread viewer, as a ratio to that with one that is read.

    The median of pairs, of which every second one begins with the other kind: what the machine
    does meanwhile meets both. Second, how far the durations with one that is read differ among
    themselves, as a part of their median.
    """
    ratios, plain = [], []
    for n in range(PAIRS):
        first = duration(reads=bool(n % 2))
        second = duration(reads=not n % 2)
        unread, read = (second, first) if n % 2 else (first, second)
        ratios.append(unread / read)
        plain.append(read)
    return statistics.median(ratios), (max(plain) - min(plain)) / statistics.median(plain)


def duration(*, reads: bool) -> float:
    """Seconds of a run by its own journal, from its first event to its last.

    The viewer is attached until the run has ended; then its terminal is closed.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = {"OCTOTUI_STATE_DIR": f"{folder}/state"}
        octotui = [sys.executable, "-m", "octotui"]
        run = subprocess.Popen(
            [*octotui, "demo", "--headless", "--json", f"--nodes={NODES}", f"--speed={SPEED}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **state},
        )  # fmt: skip
        assert run.stdout is not None
        first = json.loads(run.stdout.readline())
        viewer = Terminal([*octotui, "attach"], state)
        viewer.until(b"OCTO1")
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.extend(run.stdout), daemon=True)
        reader.start()
        while reader.is_alive():
            if reads:
                viewer.listen(0.1)
            else:
                time.sleep(0.1)
        run.wait()
        last = json.loads(found[-1])
        assert last["data"]["outcome"] == "succeeded", last
        viewer.hang_up()
        viewer.wait(5.0)
        return float(last["at"]) - float(first["at"])
