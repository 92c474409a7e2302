"""The runner's process: ``python -m octotui.cli.runner DIRECTORY``, started by ``run.process``."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from octotui.api.errors import OctotuiError
from octotui.report.markdown import render
from octotui.run.assemble import Parts, assemble
from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal
from octotui.run.logs import NodeLogs
from octotui.run.process import process_lock
from octotui.run.request import RunRequest
from octotui.run.runner import Runner
from octotui.view import fold


def main() -> int:
    """Carries out the run of that directory; the exit code is the run's.

    2: the profile has faults, or what it names cannot be opened; said on standard error, before
    the run counts as alive.
    """
    run = RunDirectory(Path(sys.argv[1]))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # no terminal is ours
    # Transports' threads must not keep the event loop waiting for its turn: with 50 nodes that
    # answer at once, the interpreter's 5 ms a thread would add up to a quarter of a second.
    sys.setswitchinterval(0.0005)
    journal = Journal(run.journal, run.run_id)
    try:
        parts = assemble(RunRequest.read(journal), run.run_id)
        journal.redact = parts.redact
        # Viewers look whether the lock is free by taking it for a moment.
        with process_lock(run).acquire(timeout=10):
            return asyncio.run(_carry_out(run, journal, parts))
    except OctotuiError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        journal.close()


async def _carry_out(run: RunDirectory, journal: Journal, parts: Parts) -> int:
    logs = NodeLogs(run.logs, parts.redact)
    async with parts.world:
        runner = Runner(journal, logs, parts.world, parts.plugins, parts.settings)
        code = await runner.run()
    run.report.write_text(render(fold(journal.events())), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
