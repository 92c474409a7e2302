"""What octotui itself costs, measured against the lab's own times in the same run.

Upgrades a cluster of the lab and prints, from the lab's ground truth and the operating system:

- the outage (last stop to first node serving) as a ratio to the model's bound
  ``max(backup, MSI) + database + start``, by the durations that the lab itself took in this run;
- CPU and wall time of the runner per node-step;
- how late the runner's event loop ever was, and the memory of runner and viewer together.

Linux only: it reads /proc. Usage: python benchmarks/run.py [--nodes 50] [--speed 10]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Watch(threading.Thread):
    """Reads a process's CPU time and peak memory until it is gone."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.cpu = self.peak = 0.0
        self.start()

    def run(self) -> None:
        try:
            while True:
                self.cpu = cpu_seconds(self.pid)
                self.peak = max(self.peak, peak_megabytes(self.pid))
                time.sleep(0.05)
        except (OSError, IndexError):
            return


def lab_times(truth: dict) -> dict[str, float]:
    """The durations that the lab took, from its own actions."""
    actions = truth["actions"]

    def spans(action: str) -> list[float]:
        return [a["detail"]["seconds"] for a in actions if a["action"] == action]

    first = next(a["node"] for a in actions if a["action"] == "database-upgrade")
    at = {
        action: [a["at"] for a in actions if a["action"] == action and a["node"] in (first, None)]
        for action in ("service-start", "serving")
    }
    return {
        "backup": max(spans("backup")),
        "msi": max(spans("msi-install")[:1]),
        "database": max(spans("database-upgrade")),
        "start": min(at["serving"]) - min(at["service-start"]),
    }


def outage(truth: dict) -> float:
    actions = truth["actions"]
    stops = [a["at"] for a in actions if a["action"] == "service-stopped"]
    serving = [a["at"] for a in actions if a["action"] == "serving"]
    return min(serving) - max(stops)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--speed", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OCTOTUI_STATE_DIR"] = f"{folder}/state"
        profile = f"{folder}/lab.toml"
        octotui = [sys.executable, "-m", "octotui"]
        lab = subprocess.Popen(
            [*octotui, "lab", "up", "--nodes", str(options.nodes), "--speed", str(options.speed),
             "--profile", profile],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            ready = lab.stdout.readline().split()
            control = ready[1].removeprefix("control=")
            measure(octotui, profile, control)
        finally:
            lab.terminate()
            lab.wait()


def measure(octotui: list[str], profile: str, control: str) -> None:
    begun = time.monotonic()
    viewer = subprocess.Popen(
        [*octotui, "upgrade", profile, "--yes", "--headless", "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    watches = [Watch(viewer.pid)]
    events = []
    for line in viewer.stdout:
        events.append(json.loads(line))
        if events[-1]["kind"] == "run.started":
            watches.append(Watch(events[-1]["data"]["pid"]))
    code = viewer.wait()
    wall = time.monotonic() - begun
    with urllib.request.urlopen(f"{control}/truth") as answer:
        truth = json.load(answer)
    ended = events[-1]["data"]
    steps = sum(event["kind"] == "step.ended" for event in events)
    times = lab_times(truth)
    bound = max(times["backup"], times["msi"]) + times["database"] + times["start"]
    took = outage(truth)
    print(
        f"outcome            {ended['outcome']}, exit code {code}, "
        f"{len(truth['violations'])} violations"
    )
    print(f"steps              {steps} in {wall:.1f} s wall")
    print(f"outage             {took:.2f} s; the lab's own {bound:.2f} s; ratio {took / bound:.3f}")
    print(f"runner             {1000 * watches[1].cpu / steps:.1f} ms CPU a step")
    print(f"event loop         at most {1000 * ended['worst_lag_seconds']:.0f} ms late")
    print(
        f"memory             runner {watches[1].peak:.0f} MB + viewer {watches[0].peak:.0f} MB "
        f"= {watches[0].peak + watches[1].peak:.0f} MB at their peaks"
    )


if __name__ == "__main__":
    main()
