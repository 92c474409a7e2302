"""``octotui lab``: a simulated cluster on this machine, to try, to train and to rehearse with."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from octotui_lab.estate import EstateOptions


@click.group()
def lab() -> None:
    """Simulate a cluster on this machine."""


@lab.command()
@click.option("--nodes", default=3, show_default=True, type=click.IntRange(1, 200))
@click.option(
    "--speed",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="How many times faster than in a real estate everything goes.",
)
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="See octotui lab faults.")
@click.option(
    "--powershell",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A PowerShell that runs the uploaded agent on the nodes.",
)
@click.option(
    "--installation-id",
    default="",
    help="Which cluster it is, always the same by default: runs on one keep each other out.",
)
@click.option(
    "--profile",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write the profile of the simulated cluster to.",
)
def up(
    nodes: int,
    speed: float,
    faults: tuple[str, ...],
    powershell: Path | None,
    installation_id: str,
    profile: Path,
) -> None:
    """Start a simulated cluster and keep it running until Ctrl-C.

    Prints one line, "ready control=URL profile=FILE", once everything answers. Then, in another
    terminal: octotui upgrade FILE
    """
    from octotui_lab.estate import EstateOptions
    from octotui_lab.powershell.engine import PowerShellMissing
    from octotui_lab.world import INSTALLATION_ID

    cluster = installation_id or INSTALLATION_ID
    options = EstateOptions(nodes, speed, faults, profile, powershell, cluster)
    _allow_many_sockets()
    try:
        asyncio.run(_up(options))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except (OSError, PowerShellMissing) as error:
        raise click.ClickException(f"the lab cannot start: {error}") from None


@lab.command()
def faults() -> None:
    """List the faults that a lab can be given."""
    from octotui_lab.faults import fault_help

    click.echo(fault_help())


async def _up(options: EstateOptions) -> None:
    from octotui_lab.estate import Estate

    estate = Estate(options)
    loop = asyncio.get_running_loop()
    # signal.signal works on Windows too, where event loops take no signal handlers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(estate.stop))
    async with estate:
        click.echo(f"ready control={estate.control_url} profile={options.profile}")
        await estate.stopped()


def _allow_many_sockets() -> None:
    """A node takes four sockets and its connections; 1,024 files are the usual limit of a shell."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limit.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
