"""A run that is made up: a directory with a journal and logs, and a process that feeds them.

The feeder stands in for the runner: it holds the run's lock, appends events to the journal and
lines to the logs of the nodes. Started by ``benchmarks/screen.py``.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PHASES = ("staging", "draining", "stopping", "installing", "migrating", "starting", "joining")
#: Steps of a node by phase, as the planner makes them, with their expected seconds.
STEPS = {
    "staging": (("stage", 30.0), ("prove", 1.0)),
    "draining": (("drain", 1.0),),
    "stopping": (("park", 1.0), ("stop", 20.0)),
    "installing": (("prove", 1.0),),
    "joining": (("install", 75.0), ("start", 1.0), ("serving", 60.0), ("unpark", 1.0)),
    "finishing": (("undrain", 1.0), ("check", 1.0)),
}
RUN_ID = "20251009-085320-0001"
#: Lines carry this many characters of text after their number.
TEXTS = (
    "Copying new files: C:/Program Files/Octopus Deploy/Octopus/Core/Octopus.Core.dll",
    "Action start: InstallFinalize.",
    "Executing Script0420 of the upgrade, 312 rows changed in the table of deployments",
    "Property(S): ProductVersion = 2025.4.10428",
)


def names(nodes: int) -> list[str]:
    return [f"OCTO{n + 1}" for n in range(nodes)]


def prepare(state: Path, nodes: int, *, works: bool) -> Path:
    """A run's directory under ``state``, in the middle of joining.

    ``works``: a step runs on every node; else all wait for their turn.
    """
    from octotui.run.journal import Journal

    folder = state / "runs" / RUN_ID
    (folder / "logs").mkdir(parents=True)
    begun = time.time() - 600.0
    clock = iter(range(10**9))
    journal = Journal(folder / "run.db", RUN_ID, now=lambda: begun + next(clock) * 1e-3)
    journal._db.execute("BEGIN")
    for subject, kind, data in _story(nodes, works):
        journal.append(subject, kind, data)
    journal._db.execute("COMMIT")
    journal.close()
    return folder


def _story(nodes: int, works: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield "run", "run.started", {
        "profile": "/profiles/prod-eu.toml", "cluster": "http://octopus.example",
        "nodes": names(nodes), "to": "latest", "octotui": "0.1.0", "pid": 4711,
        "attended": True, "hold": [],
    }  # fmt: skip
    yield "run", "plan", _plan(nodes)
    before = "preflight"
    for phase in ("ready", *PHASES):
        yield "run", "state", {"from": before, "to": phase, "trigger": "done",
                               "waiting_phase": "", "changed": phase == "stopping"}  # fmt: skip
        before = phase
        for step in _plan(nodes)["steps"] if phase in ("stopping", "joining") else ():
            if step["phase"] != phase or (phase == "joining" and ".install@" not in step["id"]):
                continue
            if phase == "stopping" or works:
                yield _step(step, "step.started")
            if phase == "stopping":
                yield _step(step, "step.ended", outcome="done", seconds=1.0)
    step = {"id": "maintenance.on", "node": None, "phase": "maintenance",
            "title": "turn maintenance on", "seconds": 1.0}  # fmt: skip
    yield _step(step, "step.started")
    yield _step(step, "step.ended", outcome="done", seconds=1.0)


def _step(step: dict[str, Any], kind: str, **more: object) -> tuple[str, str, dict[str, Any]]:
    return f"step:{step['id']}", kind, {
        "step": step["id"], "node": step["node"], "phase": step["phase"],
        "title": step["title"], "attempt": 1, "expected_seconds": step["seconds"], **more,
    }  # fmt: skip


def _plan(nodes: int) -> dict[str, Any]:
    steps = [
        {"id": f"{phase}.{name}@{node}", "phase": phase, "title": f"{name} the package",
         "kind": f"{phase}.{name}", "node": node, "seconds": seconds, "after": []}
        for phase, found in STEPS.items() for node in names(nodes) for name, seconds in found
    ]  # fmt: skip
    return {
        "from_version": "2025.2.13071", "to_version": "2025.4.10428", "steps": steps,
        "estimate": {"outage_seconds": 258.0, "all_up_seconds": 395.0,
                     "maintenance_seconds": 450.0, "based_on_runs": 0},
    }  # fmt: skip


class Feeder:
    """The feeding process. ``go`` begins, ``stop`` ends and returns what was written."""

    def __init__(self, folder: Path, *, nodes: int, changes: float, rate: int) -> None:
        load = {"folder": str(folder), "nodes": nodes, "changes": changes, "rate": rate}
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(load)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it holds the lock

    def go(self, seconds: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def written(self) -> dict[str, Any]:
        """Lines, the journal's last number and how late it was at most, once it is through."""
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def feeding(folder: Path, *, nodes: int, changes: float, rate: int) -> Iterator[Feeder]:
    feeder = Feeder(folder, nodes=nodes, changes=changes, rate=rate)
    try:
        yield feeder
    finally:
        feeder.close()


def main() -> None:
    from octotui.run.directory import RunDirectory
    from octotui.run.journal import Journal
    from octotui.run.process import process_lock

    load = json.loads(sys.argv[1])
    run = RunDirectory(Path(load["folder"]))
    journal = Journal(run.journal, run.run_id)
    with process_lock(run).acquire():
        print("ready", flush=True)
        if line := sys.stdin.readline():
            print(json.dumps(feed(journal, run.logs, load, float(line))), flush=True)
            sys.stdin.readline()  # it lives, quietly, until it is told to end
    journal.close()


def feed(journal: Any, logs: Path, load: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Writes at the rates of ``load``.

    Events go ten times a second, those of one time in one transaction: a durable write each would
    be the disk's measurement. A viewer reads the same rows either way.
    """
    nodes = names(load["nodes"])
    files = [(logs / f"{node}.log").open("a", encoding="utf-8") for node in nodes]
    numbers = [0] * len(nodes)
    lines = events = 0
    late = 0.0
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for _ in range(int(elapsed * load["rate"]) - lines):
            n = lines % len(nodes)
            files[n].write(f"{stamp} {numbers[n]:07} {random.choice(TEXTS)}\n")
            numbers[n] += 1
            lines += 1
        for file in files:
            file.flush()
        due = int(elapsed * load["changes"]) * len(nodes)
        if events < due:
            journal._db.execute("BEGIN")
            for _ in range(due - events):
                step = f"joining.install@{nodes[events % len(nodes)]}"
                journal.append(f"step:{step}", "step.progress", {
                    "step": step, "node": step.partition("@")[2], "text": "copying files",
                    "done": random.randrange(100), "total": 100,
                })  # fmt: skip
                events += 1
            journal._db.execute("COMMIT")
        late = max(late, time.monotonic() - begun - elapsed)
        time.sleep(0.02)
    for file in files:
        file.close()
    return {"lines": lines, "events": events, "seq": journal._seq, "late": late}


if __name__ == "__main__":
    main()
