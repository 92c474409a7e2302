"""``octotui plugins``: what is installed, and what is wrong with it."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One object.")
def plugins(as_json: bool) -> None:
    """List plugins, what they bring, and the problems that loading them met."""
    from octotui.plugins import Plugins

    loaded = Plugins.load()
    brings = {
        "transports": sorted(loaded.transports),
        "sources": sorted(loaded.sources),
        "backups": sorted(loaded.backups),
        "checks": [check.name for check, _ in loaded.checks],
    }
    problems = [f"{p.plugin} ({p.distribution} {p.version}): {p.problem}" for p in loaded.problems]
    if as_json:
        click.echo(json.dumps({**brings, "problems": problems}))
        return
    for kind, names in brings.items():
        click.echo(f"{kind}: {', '.join(names) or 'none'}")
    for problem in problems:
        click.echo(f"problem: {problem}")
