"""The runner's process: ``python -m octotui.cli.runner DIRECTORY SEEN REQUEST``.

Started by ``run.process``: ``SEEN`` is the newest event that it was decided by, ``REQUEST`` what a
person asked for, see ``run.request``.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback
from contextlib import closing
from pathlib import Path

from octotui.api.errors import OctotuiError
from octotui.report.markdown import render
from octotui.run.assemble import Parts, assemble
from octotui.run.directory import RunDirectory
from octotui.run.journal import MISFIT, Journal
from octotui.run.logs import NodeLogs
from octotui.run.process import RunnerRefused, carrying_out
from octotui.run.reading import ReadingJournal
from octotui.run.request import RunRequest
from octotui.run.runner import Runner
from octotui.view import fold


def main() -> int:
    """Carries out the run of that directory; the exit code is the run's.

    2: the profile has faults, what it names cannot be opened, or another runner was quicker: then
    nothing was done. Or the journal cannot be used any more. It is said on standard error.
    """
    run = RunDirectory(Path(sys.argv[1]))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # no terminal is ours
    # Transports' threads must not keep the event loop waiting for its turn: with 50 nodes that
    # answer at once, the interpreter's 5 ms a thread would add up to a quarter of a second.
    sys.setswitchinterval(0.0005)
    seen, request = int(sys.argv[2]), RunRequest.parse(sys.argv[3])
    try:
        parts = assemble(request, run.run_id)
        with carrying_out(run):
            if ReadingJournal(run.journal, run.run_id).newest() != seen:
                raise RunnerRefused(
                    f"Another process has carried run {run.run_id} out meanwhile. Look how it "
                    f"stands: octotui attach {run.run_id}"
                )
            return _journalled(run, request, parts)
    except OctotuiError as error:
        print(error, file=sys.stderr)
        return 2


def _journalled(run: RunDirectory, request: RunRequest, parts: Parts) -> int:
    with closing(Journal(run.journal, run.run_id, redact=parts.redact)) as journal:
        request.write(journal)
        return asyncio.run(_carry_out(run, journal, parts))


async def _carry_out(run: RunDirectory, journal: Journal, parts: Parts) -> int:
    logs = NodeLogs(run.logs, parts.redact)
    async with parts.world:
        runner = Runner(journal, logs, parts.world, parts.plugins, parts.settings)
        code = await runner.run()
    _write_report(run, journal)
    return code


def _write_report(run: RunDirectory, journal: Journal) -> None:
    """What became of the cluster does not depend on whether the report can be written."""
    try:
        run.report.write_text(render(fold(journal.events())), encoding="utf-8")
    except (OctotuiError, OSError, ArithmeticError, *MISFIT):
        traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
