"""``octotui bundle``: one file with all that is known of a run, for whoever has to help."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import click

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory, state_folder


@click.command()
@click.argument("run", default="")
@click.option("--to", "to", metavar="FILE", help="Where to; else a file in the state folder.")
@click.option("--no-server", is_flag=True, help="Do not ask Octopus Server for its report.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def bundle(run: str, to: str | None, no_server: bool, as_json: bool) -> None:
    """Make a support bundle of RUN, the newest by default.

    One zip: journal, logs, MSI logs, facts, findings, plan, report, profile, and Octopus Server's
    own system report where a server answers. Secrets are masked; look through it all the same
    before you hand it on.
    """
    from octotui.report.bundle import make_bundle

    # Told to end, it takes its unfinished file away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    directory = _find(run)
    may_ask = not as_json and sys.stdin.isatty()
    made = make_bundle(directory, Path(to) if to else None, server=not no_server, may_ask=may_ask)
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


def _find(run: str) -> RunDirectory:
    """The run, also one whose journal is gone, by its whole id. Raises OctotuiError."""
    try:
        return RunDirectory.find(run)
    except OctotuiError:
        path = state_folder() / "runs" / run
        if run and path.name == run and path.is_dir():
            return RunDirectory(path)
        raise
