"""The entry point: offers the checks without which an upgrade would be careless."""

from __future__ import annotations

from collections.abc import Sequence

from octotui.api import Check, hookimpl
from octotui_checks.cluster_nodes import ClusterNodesCheck
from octotui_checks.database_rights import DatabaseRightsCheck
from octotui_checks.disk_space import DiskSpaceCheck
from octotui_checks.license import LicenseCheck
from octotui_checks.nodes_reachable import NodesReachableCheck
from octotui_checks.versions import VersionsCheck
from octotui_checks.way_back import WayBackCheck

octotui_api = 1


@hookimpl
def octotui_checks() -> Sequence[Check]:
    """In the order in which a person would look."""
    return [
        NodesReachableCheck(),
        VersionsCheck(),
        ClusterNodesCheck(),
        DiskSpaceCheck(),
        LicenseCheck(),
        DatabaseRightsCheck(),
        WayBackCheck(),
    ]
