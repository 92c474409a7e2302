"""``octotui demo``: the lab and an ordinary upgrade of it, with nothing to install."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from octotui.api.errors import OctotuiError
from octotui.cli.upgrade import run_and_follow
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
@click.option("--json", "as_json", is_flag=True, help="One event a line.")
def demo(nodes: int, speed: float, fault: tuple[str, ...], headless: bool, as_json: bool) -> int:
    """Simulate a cluster on this machine and upgrade it before your eyes."""
    with tempfile.TemporaryDirectory(prefix="octotui-demo-") as folder:
        profile = Path(folder) / "demo.toml"
        options = [f"--nodes={nodes}", f"--speed={speed}", *(f"--fault={f}" for f in fault)]
        with lab(profile, options):
            attended = not headless and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
            # A person who is there may want to try the approval; without a terminal it is given.
            request = RunRequest(str(profile), "", True, attended)
            return run_and_follow(request, as_json=as_json)


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
