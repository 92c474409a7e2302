"""All that a plugin may import from octotui. Everything else is private to the application."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from octotui.api.backup import Backup, BackupEvidence, BackupProvider, BackupRequest
    from octotui.api.checks import Check, Finding
    from octotui.api.events import Event
    from octotui.api.hooks import API_VERSION, ENTRY_POINT_GROUP, OctotuiSpec, hookimpl
    from octotui.api.node import JobKind, NodeOperations
    from octotui.api.secrets import SecretReference, Secrets
    from octotui.api.server import OctopusServer, Serving
    from octotui.api.source import Package, Progress, Release, Source, SourceProvider
    from octotui.api.transport import (
        Completed,
        Credentials,
        NodeAddress,
        Output,
        Transport,
        TransportProvider,
    )

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "Backup",
    "BackupEvidence",
    "BackupProvider",
    "BackupRequest",
    "Check",
    "Completed",
    "Credentials",
    "Event",
    "Finding",
    "JobKind",
    "NodeAddress",
    "NodeOperations",
    "OctopusServer",
    "OctotuiSpec",
    "Output",
    "Package",
    "Progress",
    "Release",
    "SecretReference",
    "Secrets",
    "Serving",
    "Source",
    "SourceProvider",
    "Transport",
    "TransportProvider",
    "hookimpl",
]

#: Names by their module, which is imported when one is asked for: a viewer needs none of them, and
#: together they cost as much as a third of its start.
_MODULES = {
    name: module
    for module, names in {
        "backup": "Backup BackupEvidence BackupProvider BackupRequest",
        "checks": "Check Finding",
        "events": "Event",
        "hooks": "API_VERSION ENTRY_POINT_GROUP OctotuiSpec hookimpl",
        "node": "JobKind NodeOperations",
        "secrets": "SecretReference Secrets",
        "server": "OctopusServer Serving",
        "source": "Package Progress Release Source SourceProvider",
        "transport": "Completed Credentials NodeAddress Output Transport TransportProvider",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
