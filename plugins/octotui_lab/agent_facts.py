"""What the agent reads of a host: its facts, its services, its instances."""

from __future__ import annotations

import json
import re
from typing import Any

from octotui_lab import host_files
from octotui_lab.agent_errors import AgentError
from octotui_lab.hosts import WindowsHost
from octotui_lab.model.server_verbs import ASSEMBLY_MISSING, configuration
from octotui_lab.model.state import INSTANCE

#: In the order in which the agent looks for them.
_REBOOT_REASONS = ("Component Based Servicing", "PendingFileRenameOperations")
WATCHDOG_PREFIX = "Octopus Watchdog "
_INSTANCE = re.compile(r"--instance=\"?([^\"]+?)\"?$")


def facts(host: WindowsHost, user: str) -> dict[str, Any]:
    """``NodeFacts`` without ``node``."""
    node = host.node
    assert_installed(host)
    executable = str(host.executable)
    instances = [instance(host, name) for name in instance_names(host)]
    _, signer = host.signature(executable, host_files.sha256_of(host.executable))
    return {
        **host.system(user),
        "install_directory": str(host.install_directory),
        "version": host.file_version(executable),
        "signer": signer,
        "product_code": node.product_code,
        "instances": instances,
        "services": services(host),
        "watchdog": watchdog(host),
        "disks": [
            {
                "name": disk["name"],
                "free": disk["free"],
                "size": disk["size"],
                "purposes": ["install", *(["home"] if instances else []), "staging"],
            }
            for disk in host.disks()
        ],
        "pending_reboot": [reason for reason in _REBOOT_REASONS if reason in node.pending_reboot],
        "installer_busy": host.installer_busy(),
        "octotui_directory": str(host.octotui_directory),
    }


def assert_installed(host: WindowsHost) -> None:
    """Raises AgentError ``not-installed``."""
    if not host.node.version:
        raise AgentError("not-installed", "Octopus Server is not installed on this host")


def services(host: WindowsHost) -> dict[str, Any]:
    """``Services``."""
    found = [
        {
            "name": service["name"],
            "instance": instance_of(service["path"]),
            "state": service["state"],
            "start_type": service["start_type"],
            "process_id": service["process_id"],
            "account": service["account"],
        }
        for service in host.services()
    ]
    processes = [
        {"process_id": process["process_id"], "verb": _verb(process["command_line"])}
        for process in host.processes()
        if process["name"] == "Octopus.Server.exe"
    ]
    return {"services": found, "processes": processes}


def watchdog(host: WindowsHost) -> list[dict[str, Any]]:
    """The scheduled tasks that start stopped instances."""
    return [
        {"name": task["name"], "enabled": task["enabled"]}
        for task in host.scheduled_tasks()
        if task["path"] == "\\" and task["name"].startswith(WATCHDOG_PREFIX)
    ]


def instance_names(host: WindowsHost) -> list[str]:
    """The instances registered on the host."""
    folder = host.program_data / "Octopus" / "OctopusServer" / "Instances"
    return sorted(file.stem for file in folder.glob("*.config"))


def instance(host: WindowsHost, name: str) -> dict[str, Any]:
    """``Instance``, from the instance's configuration, without its connection string."""
    if name not in instance_names(host):
        raise AgentError("no-such-instance", f"there is no instance {name} on this host")
    assert_installed(host)
    if host.node.missing_files:
        # The program that would tell does not run.
        raise AgentError(
            "failed",
            f"the configuration of instance {name} cannot be read: "
            f"show-configuration ended with {ASSEMBLY_MISSING}",
        )
    file = host.program_data / "Octopus" / "OctopusServer" / "Instances" / f"{name}.config"
    values = configuration(host.world.cluster, host.node)
    connection = str(values["Octopus.Storage.ExternalDatabaseConnectionString"])
    parts = dict(part.split("=", 1) for part in connection.split(";"))
    prefixes = str(values["Octopus.WebPortal.ListenPrefixes"])
    return {
        "name": name,
        "node_name": values["Octopus.Server.NodeName"],
        "home": values["Octopus.Home"],
        "config_file": json.loads(file.read_text(encoding="utf-8"))["ConfigurationFilePath"],
        "listen_prefixes": [prefix for prefix in prefixes.split(",") if prefix],
        "database_server": parts["Data Source"],
        "database_name": parts["Initial Catalog"],
    }


async def read_instance(host: WindowsHost, name: str, user: str) -> dict[str, Any]:
    """``instance``, after the program that tells it has run to its end: others see its process."""
    instance(host, name)
    arguments = ["show-configuration", f"--instance={name}", "--format=json"]
    await host.octopus_server(arguments, user, lambda line: None)
    return instance(host, name)


def instance_of(path: str) -> str:
    """The instance that a service's command line names."""
    named = _INSTANCE.search(path)
    return named[1] if named else INSTANCE


def _verb(command_line: str) -> str:
    """The first argument of a process of Octopus.Server.exe."""
    rest = re.sub(r'^(?:"[^"]*"|\S+)\s*', "", command_line)
    return rest.split(" ", 1)[0]
