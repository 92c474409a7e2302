"""``octotui bundle``: one file with all that is known of a run, for whoever has to help."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from octotui.api.errors import OctotuiError
from octotui.cli.tether import tethered
from octotui.run.directory import RunDirectory, state_folder


@click.command()
@click.argument("run", default="")
@click.option("--to", "to", metavar="FILE", help="Where to; else a file in the state folder.")
@click.option("--no-server", is_flag=True, help="Do not ask Octopus Server for its report.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@tethered
def bundle(run: str, to: str | None, no_server: bool, as_json: bool) -> None:
    """Make a support bundle of RUN, the newest by default.

    One zip: journal, logs, MSI logs, facts, findings, plan, report, profile, and Octopus Server's
    own system report where a server answers. Secrets are masked; look through it all the same
    before you hand it on.
    """
    from octotui.report.bundle import make_bundle

    directory = _find(run)
    may_ask = not as_json and sys.stdin.isatty()
    with _ending_when_told():
        made = make_bundle(
            directory, Path(to) if to else None, server=not no_server, may_ask=may_ask
        )
    if as_json:
        told = {
            "run": directory.run_id,
            "path": str(made.path),
            "size": made.size,
            "server": made.server,
            "missing": [asdict(missing) for missing in made.missing],
        }
        click.echo(json.dumps(told))
        return
    click.echo(f"{made.path} ({made.size / 1000:,.0f} kB)")
    for missing in made.missing:
        click.echo(f"  not in it: {missing.what}: {missing.why}")
    click.echo("Look through it before you hand it on: README.txt in it says what is there.")


@contextlib.contextmanager
def _ending_when_told() -> Iterator[None]:
    """Told to end, the process takes its unfinished file away first."""
    code = 128 + signal.SIGTERM
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(code))
    try:
        yield
    except SystemExit:
        # At once: a library's thread may wait for work for ever, and Python would wait for that.
        os._exit(code)


def _find(run: str) -> RunDirectory:
    """The run, also one whose journal is gone, by its whole id. Raises OctotuiError."""
    try:
        return RunDirectory.find(run)
    except OctotuiError:
        path = state_folder() / "runs" / run
        if run and path.name == run and path.is_dir():
            return RunDirectory(path)
        raise
