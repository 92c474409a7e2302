"""The lab's world as documents of the Octopus REST API (``domain.md`` section 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from octotui_lab.catalogue import version_key
from octotui_lab.model.server_verbs import home
from octotui_lab.model.state import ServerTask
from octotui_lab.world import NodeSummary, World

Document: TypeAlias = dict[str, Any]

_ROOT_LINKS = {
    "Self": "",
    "ConfigurationServerFolders": "/configuration/server-folders/values",
    "CurrentLicense": "/licenses/licenses-current",
    "CurrentLicenseStatus": "/licenses/licenses-current-status",
    "CurrentUser": "/users/me",
    "MaintenanceConfiguration": "/maintenanceconfiguration",
    "OctopusServerClusterSummary": "/octopusservernodes/summary",
    "OctopusServerNodes": "/octopusservernodes{/id}{?skip,take,ids,partialName}",
    "ServerHealthStatus": "/serverstatus/health",
    "ServerStatus": "/serverstatus",
    "SystemReport": "/serverstatus/system-report",
    "Tasks": "/tasks{/id}{?skip,active,environment,tenant,runbook,project,name,node,running,"
    "states,hasPendingInterruptions,hasWarningsOrErrors,take,ids,partialName,spaces,"
    "includeSystem,description}",
}

#: How long the lab's licence and its maintenance last from now.
_LICENSE_DAYS = 300


def iso(at: float | None) -> str | None:
    """A time stamp as Octopus writes it."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def root(world: World, node: str, api: str) -> Document:
    """The root document; ``api`` is the path it is found at."""
    return {
        "Application": "Octopus Deploy",
        "Version": world.serving_version(node),
        "ApiVersion": "3.0.0",
        "InstallationId": world.installation_id,
        "IsEarlyAccessProgram": False,
        "HasLongTermSupport": True,
        "Id": "root",
        "LastModifiedOn": None,
        "LastModifiedBy": None,
        "Links": {name: api + path for name, path in _ROOT_LINKS.items()},
    }


def node_resource(row: NodeSummary, api: str) -> Document:
    """A node, with its writable fields. ``IsInMaintenanceMode`` is the drain flag here."""
    here = f"{api}/octopusservernodes/{row.id}"
    return {
        "Id": row.id,
        "Name": row.name,
        "MaxConcurrentTasks": row.task_cap,
        "IsInMaintenanceMode": row.draining,
        "Links": {"Self": here, "Node": here, "Details": f"{here}/details"},
    }


def summary_row(row: NodeSummary, api: str) -> Document:
    return {
        **node_resource(row, api),
        "IsOffline": row.offline,
        "LastSeen": iso(row.last_seen),
        "RunningTaskCount": row.running_tasks,
        "Version": row.version,
    }


def ping(row: NodeSummary, api: str) -> Document:
    return {
        **node_resource(row, api),
        "LastSeen": iso(row.last_seen),
        "IsOffline": row.offline,
        "Version": row.version,
    }


def task_resource(world: World, task: ServerTask, api: str) -> Document:
    here = f"{api}/tasks/{task.id}"
    ended = task.ended is not None
    waits = world.waits_for_person(task)
    seconds = int((task.ended or world.schedule.now) - task.started)
    return {
        "Id": task.id,
        "SpaceId": "Spaces-1",
        "Name": "Deploy",
        "Description": task.description,
        "Arguments": {},
        "State": task.state,
        "Completed": iso(task.ended) or f"{task.state}...",
        "QueueTime": iso(task.queued),
        "StartTime": iso(task.started),
        "LastUpdatedTime": iso(task.ended or task.started),
        "CompletedTime": iso(task.ended),
        "ServerNode": f"OctopusServerNodes-{task.node}",
        "Duration": f"{seconds} seconds",
        "ErrorMessage": "The server's process ended" if task.state == "Failed" else "",
        "HasBeenPickedUpByProcessor": True,
        "IsCompleted": ended,
        "FinishedSuccessfully": task.state == "Success",
        "HasPendingInterruptions": waits,
        "PendingInterruptionTypes": ["ManualIntervention"] if waits else [],
        "HasWarningsOrErrors": task.state == "Failed",
        "CanRerun": ended,
        "ProjectId": "Projects-1",
        "Links": {"Self": here, "Cancel": f"{here}/cancel"},
    }


def page(
    kind: str, items: Sequence[Document], skip: int, take: int, path: str, **more: Any
) -> Document:
    """The envelope of a list, and the part of it that was asked for."""
    pages = max(1, -(-len(items) // take)) if take else 1
    return {
        "ItemType": kind,
        "TotalResults": len(items),
        "ItemsPerPage": take,
        "NumberOfPages": pages,
        "LastPageNumber": pages - 1,
        "Items": list(items[skip : skip + take]),
        "Links": {"Self": f"{path}?skip={skip}&take={take}"},
        **more,
    }


def state_counts(tasks: Sequence[ServerTask]) -> dict[str, int]:
    return dict(Counter(task.state for task in tasks))


def maintenance_configuration(world: World, api: str) -> Document:
    return {
        "Id": "maintenance",
        "IsInMaintenanceMode": world.maintenance,
        "LastModifiedOn": None,
        "LastModifiedBy": None,
        "Links": {"Self": f"{api}/maintenanceconfiguration"},
    }


def server_status(world: World, node: str) -> Document:
    newest = world.catalogue.packages[-1].version
    newer = version_key(newest) > version_key(world.serving_version(node))
    return {
        "IsDatabaseEncrypted": True,
        "IsUpgradeAvailable": newer,
        "MaximumAvailableVersion": newest,
        "MaximumAvailableVersionCoveredByLicense": newest,
        "MaintenanceExpires": _days_ahead(world),
        "IsInMaintenanceMode": world.maintenance,
        "IsMajorMinorUpgrade": newer,
        "IsPotentialClone": False,
    }


def health(world: World) -> Document:
    draining = all(row.draining for row in world.summary())
    read_only, compliant = world.maintenance, world.license_compliant()
    reasons = [
        reason
        for reason, holds in (
            ("The cluster is in maintenance mode.", read_only),
            ("All nodes are draining tasks.", draining),
            ("The licence is not complied with.", not compliant),
        )
        if holds
    ]
    return {
        "IsOperatingNormally": not reasons,
        "Description": " ".join(reasons) or "Octopus is operating normally.",
        "IsEntireClusterReadOnly": read_only,
        "IsEntireClusterDrainingTasks": draining,
        "IsCompliantWithLicense": compliant,
    }


def system_info(world: World, node: str) -> Document:
    service = world.cluster.nodes[node].service
    uptime = timedelta(seconds=int(world.schedule.now - service.process_started))
    return {
        "Version": world.serving_version(node),
        "OSVersion": "Microsoft Windows NT 10.0.20348.0",
        "ClrVersion": "8.0.11",
        "ThreadCount": 74,
        "Uptime": str(uptime),
        "WorkingSetBytes": 731_906_048,
    }


def license_resource() -> Document:
    return {
        "Id": "licenses-current",
        "SerialNumber": "LAB-0001",
        "LicenseText": '<License Signature="lab"/>',
    }


def license_status(world: World) -> Document:
    compliant = world.license_compliant()
    nodes = len(world.summary())
    allowed = nodes if compliant else nodes - 1
    words = "Your licence allows what you have." if compliant else "You use more than you may."
    return {
        "IsCompliant": compliant,
        "ComplianceSummary": words,
        "EffectiveExpiryDate": _days_ahead(world),
        "DaysToEffectiveExpiryDate": _LICENSE_DAYS,
        "DoesExpiryBlockKeyActivities": False,
        "HostingEnvironment": "SelfHosted",
        "EffectiveNodeTaskLimit": 5,
        "EffectiveClusterTaskLimit": 5 * nodes,
        "IsNodeTaskLimitControlledByLicense": False,
        "IsClusterTaskLimitControlledByLicense": False,
        "PermissionsMode": "Full",
        "Limits": [
            {
                "Name": "Nodes",
                "EffectiveLimit": allowed,
                "LicensedLimit": allowed,
                "IsUnlimited": False,
                "CurrentUsage": nodes,
                "Message": "" if compliant else f"{nodes} nodes are in use, {allowed} are licensed",
                "Disposition": "Information" if compliant else "Error",
            }
        ],
        "Messages": [],
    }


def server_folders(world: World, node: str) -> Document:
    folder = home(world.cluster.nodes[node])
    return {
        "LogsDirectory": f"{folder}/Logs",
        "ArtifactsDirectory": "\\\\FILES1\\Octopus\\Artifacts",
        "PackagesDirectory": "\\\\FILES1\\Octopus\\Packages",
        "EventExportsDirectory": "\\\\FILES1\\Octopus\\EventExports",
        "TelemetryDirectory": "\\\\FILES1\\Octopus\\Telemetry",
    }


def error(message: str, *details: str) -> Document:
    return {
        "ErrorMessage": message,
        "Errors": list(details),
        "FullException": None,
        "HelpText": None,
        "Details": {},
    }


def _days_ahead(world: World) -> str:
    ahead = datetime.fromtimestamp(world.schedule.now, UTC) + timedelta(days=_LICENSE_DAYS)
    return ahead.date().isoformat()
