"""``octotui attach``: looking at a run. Alone in its module, so that it is quick to start."""

from __future__ import annotations

import sys

import click

from octotui.cli.cockpit import full_screen, watch
from octotui.run.directory import RunDirectory


@click.command()
@click.argument("run", default="")
@click.option("--plain", is_flag=True, help="Plain lines instead of the full screen.")
@click.option("--json", "as_json", is_flag=True, help="One event a line.")
def attach(run: str, plain: bool, as_json: bool) -> int:
    """Look at a run from its beginning and stay with it. RUN is an id or the newest."""
    attended = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    screen = attended and full_screen(plain=plain)
    return watch(RunDirectory.find(run), as_json=as_json, attended=attended, screen=screen)
