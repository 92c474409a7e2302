"""All that a plugin may import from octotui. Everything else is private to the application."""

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
