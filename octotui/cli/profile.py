"""``octotui profile``: profiles without running anything."""

from __future__ import annotations

import click

from octotui.cli.upgrade import checked_profile


@click.group()
def profile() -> None:
    """Work on profiles."""


@profile.command("check")
@click.argument("file")
def check(file: str) -> None:
    """Validate FILE; every fault is told as file:line:column."""
    click.echo(f"{checked_profile(file)}: no faults")
