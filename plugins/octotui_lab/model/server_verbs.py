"""``Octopus.Server.exe``: the verbs that an upgrade uses (``domain.md`` 2)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from octotui_lab.model import program as programs
from octotui_lab.model import schema, services, tasks
from octotui_lab.model.msi_arguments import install_directory
from octotui_lab.model.program import Program, Run, log_line
from octotui_lab.model.state import INSTANCE, SERVICE, Cluster, Node, ServiceState
from octotui_lab.schedule import Course

FAILED = 1
UNKNOWN_COMMAND = 2
#: The .NET host cannot find an assembly (I#6383).
ASSEMBLY_MISSING = -2147450740

#: ``service --stop`` looks this often, this many times, and then gives up without an error code.
_POLL, _POLLS = 0.3, 150

#: Not a secret of anything: it is here because the real program shows one, in clear.
_CONNECTION_STRING = (
    "Data Source={server};Initial Catalog={name};Integrated Security=False;"
    "User ID=octopus;Password=Lab-only-9f2c"
)


def start(cluster: Cluster, node: Node, arguments: Sequence[str], user: str) -> Program:
    """Starts the program on a node where it is installed."""
    verb = next((a for a in arguments if not a.startswith("-")), "")
    options = _options(arguments)

    def work(program: Program) -> Run:
        if node.missing_files:
            program.lines.append("An assembly specified in Octopus.Server.deps.json was not found.")
            return ASSEMBLY_MISSING
        if verb not in _VERBS:
            program.lines.append(f"Command '{verb}' is not supported")
            return UNKNOWN_COMMAND
        if options.get("instance", INSTANCE) not in {INSTANCE, "*"}:
            program.lines.append(
                f"Instance {options['instance']} of application OctopusServer "
                "has not been configured on this machine."
            )
            return FAILED
        return (yield from _VERBS[verb](_Call(cluster, node, program, options)))

    return programs.run(cluster, node, "Octopus.Server", arguments, user, work)


class _Call:
    """One run of a verb: what it works on, and where its lines go."""

    def __init__(
        self, cluster: Cluster, node: Node, program: Program, options: dict[str, str]
    ) -> None:
        self.cluster = cluster
        self.node = node
        self.program = program
        self.options = options

    def write(self, level: str, message: str) -> None:
        self.program.lines.append(log_line(self.cluster, self.program.id, level, message))

    def say(self, text: str) -> None:
        self.program.lines.extend(text.splitlines())

    @property
    def wants_json(self) -> bool:
        return self.options.get("format", "").lower() == "json"


def _version(call: _Call) -> Run:
    version = call.node.version
    if call.wants_json:
        call.say(json.dumps({"MajorMinorPatch": version, "NuGetVersion": version}, indent=2))
    else:
        call.say(version)
    yield from ()
    return 0


def _list_instances(call: _Call) -> Run:
    file = configuration_file(call.node)
    if call.wants_json:
        call.say(json.dumps([{"InstanceName": INSTANCE, "ConfigurationFilePath": file}], indent=2))
    else:
        call.say(f"Instance '{INSTANCE}' uses configuration '{file}'.")
    yield from ()
    return 0


def _show_configuration(call: _Call) -> Run:
    yield call.cluster.seconds(call.node, call.cluster.durations.show_configuration)
    # Even with --noconsolelogging lines can come before the JSON (domain.md 2.3).
    call.write("INFO", f"Using instance {INSTANCE}")
    call.say(json.dumps(configuration(call.cluster, call.node), indent=2))
    return 0


def configuration(cluster: Cluster, node: Node) -> dict[str, object]:
    """What ``show-configuration --format=json`` prints: flat dotted keys, the password in clear."""
    database, row = cluster.database, cluster.database.rows[node.name]
    return {
        "Octopus.Home": home(node),
        "Octopus.Node.Cache": f"{home(node)}/Cache",
        "Octopus.Server.NodeName": node.name,
        "Octopus.Server.TaskCap": row.task_cap,
        "Octopus.Server.MaintenanceMode": row.draining,
        "Octopus.Storage.ExternalDatabaseConnectionString": _CONNECTION_STRING.format(
            server=database.server, name=database.name
        ),
        "Octopus.Watchdog.Enabled": node.watchdog_enabled is not None,
        "Octopus.Watchdog.Instances": "*",
        "Octopus.Watchdog.Interval": 5,
        "Octopus.WebPortal.ForceSsl": False,
        "Octopus.WebPortal.ListenPrefixes": ",".join(node.listen_prefixes),
    }


def _service(call: _Call) -> Run:
    if "stop" in call.options:
        yield from _service_stop(call)
        # Whatever came of it (domain.md 2.4).
        return 0
    if "start" in call.options:
        return (yield from _service_start(call))
    call.write("ERROR", "service needs --start or --stop")
    return FAILED


def _service_stop(call: _Call) -> Course:
    cluster, node = call.cluster, call.node
    if node.service.state == "stopped":
        call.write("INFO", f"The {SERVICE} service is not running")
        return
    if node.service.state == "stopping":
        return
    if cluster.faults.take(node.scope, "service-stop-lies") is None:
        services.stop(cluster, node, "service --stop")
    else:
        cluster.truth.act(
            cluster.now, node.name, "service-stop", by="service --stop", effect="none"
        )
        cluster.rules.service_stops(cluster, node, "service --stop")
    for _ in range(_POLLS):
        yield _POLL
        if _is(node, "stopped"):
            call.write("INFO", "Service stopped")
            return
    call.write("ERROR", "The service could not be stopped")


def _service_start(call: _Call) -> Run:
    cluster, node = call.cluster, call.node
    if problem := services.start(cluster, node, "service --start"):
        call.write("ERROR", problem)
        return FAILED
    call.write("INFO", "Waiting for service to become Running")
    for _ in range(_POLLS):
        if _is(node, "running"):
            call.write("INFO", "Service started")
            return 0
        yield _POLL
    call.write("ERROR", f"The {SERVICE} service did not become Running")
    return FAILED


def _is(node: Node, state: ServiceState) -> bool:
    """Asked anew: time goes by between two looks."""
    return node.service.state == state


def _database(call: _Call) -> Run:
    if "upgrade" not in call.options:
        call.write("ERROR", "database needs --upgrade")
        return FAILED
    succeeded = yield from schema.upgrade(call.cluster, call.node, call.write)
    return 0 if succeeded else FAILED


def _node(call: _Call) -> Run:
    draining = call.options.get("drain", "").lower() == "true"
    set_draining(call.cluster, call.node, draining)
    wait = float(call.options.get("wait", "0")) if draining else 0.0
    waited = 0.0
    while waited < wait and call.cluster.running_tasks(call.node.name):
        yield 1.0
        waited += 1.0
    return 0


def _checkservices(call: _Call) -> Run:
    if call.node.service.start_type != "disabled":
        services.start(call.cluster, call.node, "checkservices")
    yield from ()
    return 0


def set_draining(cluster: Cluster, node: Node, draining: bool) -> None:
    """Sets a node's drain flag, which lies in the database."""
    row = cluster.database.rows[node.name]
    if row.draining == draining:
        return
    row.draining = draining
    cluster.truth.act(cluster.now, node.name, "drain-on" if draining else "drain-off")
    if draining:
        tasks.drain(cluster, node)
    else:
        tasks.pick_up_soon(cluster, node)


def home(node: Node) -> str:
    """The instance's home directory."""
    return f"{node.root}/Octopus"


def configuration_file(node: Node) -> str:
    return f"{home(node)}/OctopusServer.config"


def executable(node: Node) -> str:
    return f"{install_directory(node)}/Octopus.Server.exe"


def _options(arguments: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for argument in arguments:
        if argument.startswith("-"):
            name, _, value = argument.lstrip("-").partition("=")
            options[name.lower()] = value.strip('"')
    return options


_VERBS = {
    "version": _version,
    "list-instances": _list_instances,
    "show-configuration": _show_configuration,
    "service": _service,
    "database": _database,
    "node": _node,
    "checkservices": _checkservices,
}
