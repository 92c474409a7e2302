"""The command ``octotui``: finds the command group that is asked for, and loads only that.

Nothing here imports a plugin, a profile model or Textual before it is needed: ``--version`` has
to be quick, and a broken plugin must not keep anybody from using the rest.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

import octotui

#: Command to the module and attribute that hold it.
_COMMANDS = {
    "upgrade": "octotui.cli.upgrade:upgrade",
    "demo": "octotui.cli.demo:demo",
    "check": "octotui.cli.plan:check",
    "plan": "octotui.cli.plan:plan",
    "profile": "octotui.cli.profile:profile",
    "runs": "octotui.cli.runs:runs",
    "attach": "octotui.cli.attach:attach",
    "resume": "octotui.cli.runs:resume",
    "replay": "octotui.cli.replay:replay",
    "report": "octotui.cli.runs:report",
    "bundle": "octotui.cli.bundle:bundle",
    "control": "octotui.cli.runs:control",
    "glance": "octotui.cli.glance:glance",
    "plugins": "octotui.cli.plugins:plugins",
}


class _Commands(click.Group):
    """Commands by name, imported when used; plugins add theirs and cannot replace ours."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_COMMANDS, *_plugin_commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        if cmd_name in _COMMANDS:
            module, _, attribute = _COMMANDS[cmd_name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        return _plugin_commands().get(cmd_name)


def _plugin_commands() -> dict[str, Any]:
    from octotui.plugins import Plugins

    return {command.name: command for command in Plugins.load().commands if command.name}


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(octotui.__version__, prog_name="octotui")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> int | None:
    """The upgrade cockpit for self-hosted Octopus Deploy.

    Without a command, at a terminal: profiles and runs on the full screen.
    """
    ctx.obj = {"debug": debug}
    if ctx.invoked_subcommand is not None:
        return None
    from octotui.cli.cockpit import full_screen, show

    if full_screen(plain=False):
        return show(None)
    click.echo(ctx.get_help())
    return None


def main() -> None:
    """The console script. Expected failures become sentences and exit codes."""
    debug = "--debug" in sys.argv
    try:
        code = cli.main(standalone_mode=False)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(130)
    except Exception as error:
        from octotui.api.errors import OctotuiError  # costs more than --version may take

        if debug or not isinstance(error, OctotuiError):
            raise
        click.echo(f"octotui: {error}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
