"""Runs of this machine: list them, look at one, steer it, take it up again, read its report."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import click

from octotui.api.errors import OctotuiError
from octotui.cli.cockpit import full_screen, view_of, watch
from octotui.cli.follow import commands_help
from octotui.cli.lines import duration
from octotui.run.commanding import ended_as, give_command
from octotui.run.directory import RunDirectory
from octotui.run.process import is_alive, is_alive_already, is_alive_or, start
from octotui.run.reading import ReadingJournal
from octotui.run.request import resumed_request
from octotui.view import RunView

#: So long the answer to a command is waited for, and so often it is looked for, seconds.
PATIENCE: Final = 30.0
PAUSE: Final = 0.05


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One array.")
def runs(as_json: bool) -> None:
    """List the runs of this machine, oldest first."""
    rows = [_row(run) for run in RunDirectory.all()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        versions = f"{row['from'] or '?'} to {row['to'] or '?'}"
        if not (row["from"] or row["to"]):
            versions = ""  # it never came to know them
        alive = "alive" if row["alive"] else ""
        click.echo(f"{row['run']}  {row['state']:<13} {alive:<6} {versions}  {row['cluster']}")
    if not rows:
        click.echo("There is no run yet.")


def _row(run: RunDirectory) -> dict[str, Any]:
    """One run; one whose journal is damaged does not hide the others."""
    try:
        view, damaged = view_of(run), False
    except OctotuiError:
        view, damaged = RunView(), True
    return {
        "run": run.run_id,
        "cluster": view.cluster,
        "state": "damaged" if damaged else _state(view),
        "alive": is_alive_or(run, unknown=None),
        "pid": view.pid,
        "from": view.from_version,
        "to": view.to_version,
        "started": view.started,
        "ended": view.ended_at,
    }


def _state(view: RunView) -> str:
    return view.outcome if view.outcome == "refused" else view.state


@click.command()
@click.argument("run")
@click.option("--yes", is_flag=True, help="Approve the plan if it still waits for that.")
@click.option("--headless", is_flag=True, help="Nobody is there to be asked.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the full screen.")
@click.option("--json", "as_json", is_flag=True, help="One event a line.")
def resume(run: str, yes: bool, headless: bool, plain: bool, as_json: bool) -> int:
    """Take up RUN where it stopped: what failed is looked at, then done again.

    A command given by `octotui control` while nobody ran it comes first. Of a run that has ended
    for good its last event is shown again.
    """
    directory = RunDirectory.find(run)
    view = view_of(directory)
    attended = not headless and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    if is_alive(directory):
        raise is_alive_already(directory)
    over = view.over and bool(view.outcome)  # else it died before it could say so
    if not over:
        for command in ReadingJournal(directory.journal, directory.run_id).pending_commands():
            click.echo(
                f"First comes what was asked for meanwhile: {command} ({command.by}).", err=True
            )
        request = resumed_request(directory, approved=yes, attended=attended)
        start(directory, request, view.seq)
    after = view.seq - 1 if over else view.seq
    screen = attended and full_screen(plain=plain)
    return watch(directory, as_json=as_json, attended=attended, screen=screen, after=after)


@click.command()
@click.argument("run", default="")
def report(run: str) -> None:
    """Print the report of a run, the newest by default."""
    from octotui.report.markdown import render

    directory = RunDirectory.find(run)
    click.echo(render(view_of(directory)), nl=False)


@click.command(epilog="\b\n" + commands_help())
@click.argument("run")
@click.argument("command")
@click.argument("argument", default="")
def control(run: str, command: str, argument: str) -> None:
    """Steer RUN."""
    directory = RunDirectory.find(run)
    given = give_command(directory, command, argument)
    answer = _answer(directory, given.command_id)
    if answer.startswith("refused: "):
        raise OctotuiError(answer.removeprefix("refused: "))
    click.echo(answer)


def _answer(run: RunDirectory, command_id: int) -> str:
    """What came of a command, as soon as that is known."""
    journal = ReadingJournal(run.journal, run.run_id)
    begun = time.monotonic()
    alive = True
    while alive:
        # Before the look at its answer: its last act may be to give one.
        alive = is_alive_or(run, unknown=True)
        answer = journal.get_command(command_id).answer
        if answer is not None:
            return answer
        if time.monotonic() - begun > PATIENCE:
            return f"noted; the run has not taken it within {duration(PATIENCE)}"
        time.sleep(PAUSE)
    if outcome := ended_as(journal):
        raise OctotuiError(f"run {run.run_id} ended before it could take it: {outcome}")
    return (
        f"Nobody carries out {run.run_id} now. The command is noted and comes first with: "
        f"octotui resume {run.run_id}"
    )
