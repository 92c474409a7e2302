"""The entry point: offers the backup ``node``."""

from __future__ import annotations

from collections.abc import Sequence

from octotui.api import BackupProvider, hookimpl
from octotui_backups.node import NodeBackupProvider

octotui_api = 1


@hookimpl
def octotui_backups() -> Sequence[BackupProvider]:
    """Backups that a node asks SQL Server for."""
    return [NodeBackupProvider()]
