"""The hooks a plugin may implement, and the marker to implement them with.

A plugin is a module or object behind an entry point of the group ``octotui``. It declares
``octotui_api = 1`` and implements any of these with ``@hookimpl``. Capabilities return objects;
behaviour hooks only report, or veto. Deriving from ``OctotuiSpec`` lets a type checker hold you
to the signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from octotui.api.backup import BackupProvider
from octotui.api.checks import Check
from octotui.api.events import Event
from octotui.api.source import SourceProvider
from octotui.api.transport import TransportProvider

if TYPE_CHECKING:
    import click

ENTRY_POINT_GROUP = "octotui"

#: The version of everything in ``octotui.api``; a plugin declares the one it was written for.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("octotui")
hookimpl = pluggy.HookimplMarker("octotui")


class OctotuiSpec:
    """Every hook there is."""

    @hookspec
    def octotui_transports(self) -> Sequence[TransportProvider]:
        """Ways to reach a node, chosen by ``transport`` in a profile."""
        raise NotImplementedError

    @hookspec
    def octotui_sources(self) -> Sequence[SourceProvider]:
        """Places that packages come from, chosen by ``[upgrade] source``."""
        raise NotImplementedError

    @hookspec
    def octotui_checks(self) -> Sequence[Check]:
        """Validations of facts, run before anything changes."""
        raise NotImplementedError

    @hookspec
    def octotui_backups(self) -> Sequence[BackupProvider]:
        """Ways to save the database, chosen by ``[backup] kind``."""
        raise NotImplementedError

    @hookspec
    def octotui_commands(self) -> Sequence[click.Command]:
        """Commands and groups that join octotui's own command line."""
        raise NotImplementedError

    @hookspec
    def octotui_changed(self, event: Event) -> None:
        """The run entered another state. Reports only.

        May be a coroutine function; a plain one must return at once.
        """

    @hookspec
    def octotui_step(self, event: Event) -> None:
        """A step started, waits or ended. Reports only.

        May be a coroutine function; a plain one must return at once.
        """

    @hookspec
    def octotui_before_phase(self, phase: str) -> str | None:
        """A veto before a phase that may be held: return why not, or None.

        An exception or a time-out here is a veto too. May be a coroutine function.
        """
