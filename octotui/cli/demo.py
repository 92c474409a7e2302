"""``octotui demo``: the lab and an ordinary upgrade of it, with nothing to install."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from octotui.api.errors import OctotuiError
from octotui.cli.cockpit import full_screen, view_of, watch
from octotui.cli.upgrade import begin
from octotui.run.directory import RunDirectory
from octotui.run.process import is_alive
from octotui.run.request import RunRequest


@click.command()
@click.option("--nodes", default=3, show_default=True, type=click.IntRange(1, 200))
@click.option(
    "--speed",
    default=8.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="How many times faster than typical durations; the default takes about a minute.",
)
@click.option("--fault", multiple=True, metavar="FAULT", help="See octotui lab faults.")
@click.option("--headless", is_flag=True, help="Nobody is there to be asked.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the full screen.")
@click.option("--json", "as_json", is_flag=True, help="One event a line.")
def demo(
    nodes: int, speed: float, fault: tuple[str, ...], headless: bool, plain: bool, as_json: bool
) -> int:
    """Simulate a cluster on this machine and upgrade it before your eyes."""
    with tempfile.TemporaryDirectory(prefix="octotui-demo-") as folder:
        profile = Path(folder) / "demo.toml"
        options = [f"--nodes={nodes}", f"--speed={speed}", *(f"--fault={f}" for f in fault)]
        # A demo that was left half-way keeps no later one from its cluster, which is gone with it.
        options.append(f"--installation-id={uuid.uuid4()}")
        attended = not headless and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
        if attended:  # it takes some seconds
            click.echo(f"Starting a simulated cluster: {nodes} node{'s' if nodes > 1 else ''} ...")
        with lab(profile, options):
            screen = attended and full_screen(plain=plain)
            # A person at the screen approves by a key; lines and pipes have it given.
            request = RunRequest(str(profile), "", not screen, attended)
            run = begin(request)
            try:
                return watch(run, as_json=as_json, attended=attended, screen=screen)
            finally:
                _end(run)


def _end(run: RunDirectory) -> None:
    """The lab ends with the demo; a run of it that has not ended would wait for a person for ever,

    and keep the lab's cluster locked.
    """
    if not is_alive(run):
        return
    pid = view_of(run).pid
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        click.echo("The demo's cluster is gone, and with it the run.", err=True)


@contextmanager
def lab(profile: Path, options: list[str]) -> Iterator[None]:
    """The lab as a child process, ready, and ended with the block. Raises OctotuiError."""
    command = [sys.executable, "-m", "octotui", "lab", "up", f"--profile={profile}", *options]
    # Ctrl-C in the terminal is for the viewer: the lab has to outlive it until we end it.
    if sys.platform == "win32":
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
    else:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        if not line.startswith("ready "):
            raise OctotuiError(
                f"the lab did not start: {line.strip() or 'it said nothing'}",
                next_step="Its own words stand above",
            )
        yield
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
