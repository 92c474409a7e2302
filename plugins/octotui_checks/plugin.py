"""The entry point: offers the checks without which an upgrade would be careless."""

from __future__ import annotations

from collections.abc import Sequence

from octotui.api import Check, hookimpl
from octotui_checks.cluster import ClusterNodes, LicenseCompliant, Versions
from octotui_checks.database import DatabaseRights
from octotui_checks.nodes import DiskSpace, NodesReachable

octotui_api = 1


@hookimpl
def octotui_checks() -> Sequence[Check]:
    """Pure functions over facts."""
    return [
        NodesReachable(),
        Versions(),
        ClusterNodes(),
        DiskSpace(),
        LicenseCompliant(),
        DatabaseRights(),
    ]
