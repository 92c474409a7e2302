"""The cockpit on a made-up run, with a probe in its event loop. Started by benchmarks/screen.py.

Everything is the application's own but for the probe, a task that sleeps 5 ms and notes how much
later it was woken, and how much of that this thread itself has worked. ``empty``: an application
without anything, for what the machine itself does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

PAUSE = 0.005


async def probe(found: list[tuple[float, float, float]]) -> None:
    while True:
        before, worked = time.monotonic(), time.thread_time()
        await asyncio.sleep(PAUSE)
        after = time.monotonic()
        lag = max(0.0, after - before - PAUSE)
        found.append((after, lag, min(lag, time.thread_time() - worked)))


async def watch(app: Any, mouse: bool) -> list[tuple[float, float, float]]:
    found: list[tuple[float, float, float]] = []
    task = asyncio.create_task(probe(found))
    await app.run_async(mouse=mouse)
    task.cancel()
    return found


def empty_app() -> Any:
    from textual.app import App

    class Empty(App[None]):
        BINDINGS = [("q", "quit", "Quit")]

    return Empty()


def cockpit() -> Any:
    """As ``octotui attach`` opens it."""
    from octotui.run.directory import RunDirectory
    from octotui.tui.app import Cockpit
    from octotui.tui.keymap import Settings

    return Cockpit(RunDirectory.find(), settings=Settings(mouse=False))


def proof(app: Any) -> dict[str, Any]:
    """What the log view has: how many lines came, and whether each node's follow one another."""
    from octotui.tui.widgets.log_view import LogView

    buffer = next(s for s in app.screens_seen if s.query(LogView)).query_one(LogView).buffer
    last: dict[str, int] = {}
    faults = 0
    for line in buffer._lines:
        number = int(line.text[:7])
        faults += number != last.get(line.node, number - 1 if buffer._first else -1) + 1
        last[line.node] = number
    return {"lines": buffer._first + len(buffer), "faults": faults, "seq": app.store.view.seq}


def main() -> None:
    load = json.loads(sys.argv[1])
    from octotui.tui.terminal import settle_environment

    settle_environment(os.environ)
    app = empty_app() if load["empty"] else cockpit()
    if not load["empty"]:
        app.screens_seen = ()
        leave = app.leave

        def note_and_leave() -> None:
            app.screens_seen = tuple(app.screen_stack)
            answer.update(proof(app))
            leave()

        app.leave = note_and_leave
    answer: dict[str, Any] = {}
    answer["lags"] = asyncio.run(watch(app, False))
    answer["peak"] = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    answer["cpu"] = time.process_time()
    Path(load["answer"]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
