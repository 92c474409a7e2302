"""What the lab brings to octotui: its commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from octotui.api import hookimpl

if TYPE_CHECKING:
    import click

octotui_api = 1


@hookimpl
def octotui_commands() -> Sequence[click.Command]:
    from octotui_lab.cli import lab

    return [lab]
