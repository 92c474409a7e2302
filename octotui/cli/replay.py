"""``octotui replay``: a past run on the full screen, played again."""

from __future__ import annotations

import click

from octotui.api.errors import OctotuiError
from octotui.cli.cockpit import full_screen, show
from octotui.run.directory import RunDirectory


@click.command()
@click.argument("run", default="")
def replay(run: str) -> int:
    """Play a run again on the full screen, from its journal and logs alone.

    RUN is an id or the newest. All parts of the screen follow one clock that can be stopped, moved
    and made faster; nothing can be steered. One that still works is played up to now.
    """
    directory = RunDirectory.find(run)
    if not full_screen(plain=False):
        raise OctotuiError(
            "a replay needs a terminal that can show the full screen",
            next_step=f"octotui attach --plain {directory.run_id} prints the run's events with "
            f"their times, octotui report {directory.run_id} how it went",
        )
    return show(directory, replayed=True)
