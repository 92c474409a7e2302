"""``octotui upgrade``: one command takes a cluster through an upgrade."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from octotui.cli.cockpit import full_screen, watch
from octotui.run.directory import RunDirectory
from octotui.run.process import RunnerRefused, start
from octotui.run.request import RunRequest, create_run


@click.command()
@click.argument("profile")
@click.option("--to", "to", default="", metavar="VERSION", help="Instead of the profile's.")
@click.option("--yes", is_flag=True, help="Approve the plan, and drop the default hold.")
@click.option("--headless", is_flag=True, help="Nobody is there to be asked.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the full screen.")
@click.option("--json", "as_json", is_flag=True, help="One event a line.")
@click.option("--waive", multiple=True, metavar="NAME", help="Waive a check that may be waived.")
def upgrade(
    profile: str,
    to: str,
    yes: bool,
    headless: bool,
    plain: bool,
    as_json: bool,
    waive: tuple[str, ...],
) -> int:
    """Upgrade the cluster of PROFILE, a file or a name.

    The run is a process of its own: closing this terminal does not harm it. Exit codes: 0
    succeeded; 1 failed, aborted or rolled back; 2 usage or profile; 3 refused; 4 needs a person.
    """
    from octotui.profile import find_profile

    path = find_profile(profile).resolve()
    attended = not headless and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    request = RunRequest(str(path), to, approved=yes, attended=attended, waived=waive)
    screen = attended and full_screen(plain=plain)
    return run_and_follow(request, as_json=as_json, screen=screen)


def checked_profile(name: str) -> Path:
    """The profile's path, once it is known to be without a fault. Raises ProfileFaults."""
    from octotui.plugins import Plugins
    from octotui.profile import find_profile, load_profile

    path = find_profile(name)
    load_profile(path, Plugins.load())
    return path.resolve()


def run_and_follow(request: RunRequest, *, as_json: bool, screen: bool) -> int:
    """Starts a run in a process of its own and shows it here; returns the exit code.

    ``screen``: the full screen instead of lines.
    """
    run = begin(request)
    return watch(run, as_json=as_json, attended=request.attended, screen=screen)


def begin(request: RunRequest) -> RunDirectory:
    """A new run, alive in a process of its own.

    The profile is read there and only there: a viewer stays small. Raises RunnerRefused.
    """
    run = create_run(request)
    try:
        start(run, request)
    except RunnerRefused:
        run.remove()
        raise
    return run
