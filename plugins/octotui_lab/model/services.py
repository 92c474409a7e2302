"""How the Octopus service of a node starts, serves, fails and stops, and what its watchdog does."""

from __future__ import annotations

from octotui_lab.catalogue import version_key
from octotui_lab.model import schema, tasks
from octotui_lab.model.state import Cluster, Node, StartType
from octotui_lab.schedule import Course
from octotui_lab.truth import took


def start(cluster: Cluster, node: Node, by: str) -> str:
    """Asks the service control manager for a start. Returns why it refused; empty if it did not."""
    service = node.service
    if service.state != "stopped":
        return ""
    if not node.version:
        return "The system cannot find the file specified."
    if service.start_type == "disabled":
        return "The service cannot be started because it is disabled."
    cluster.truth.act(cluster.now, node.name, "service-start", by=by, version=node.version)
    cluster.rules.service_starts(cluster, node, by)
    service.state = "starting"
    service.process_id = node.new_process_id()
    service.process_started = cluster.now
    service.version = node.version
    service.course = cluster.schedule.follow(_run(cluster, node))
    return ""


def stop(cluster: Cluster, node: Node, by: str) -> None:
    """Asks the service to stop. It is stopped, and its process gone, some time later."""
    service = node.service
    if service.state in {"stopped", "stopping"}:
        return
    if by != "msi":
        node.service.stop_action = cluster.truth.act(cluster.now, node.name, "service-stop", by=by)
    cluster.rules.service_stops(cluster, node, by)
    if service.course is not None:
        service.course.stop()
    service.state = "stopping"
    service.serving = False
    node.drain_waived = False
    service.course = cluster.schedule.follow(_stop(cluster, node))


def kill(cluster: Cluster, node: Node) -> None:
    """Ends the server's process at once, without the courtesy of a clean stop."""
    if node.service.course is not None:
        node.service.course.stop()
    _gone(cluster, node, clean=False)


def set_start_type(cluster: Cluster, node: Node, start_type: StartType) -> None:
    """Changes the service's start type; recovery actions of a disabled service do nothing."""
    if node.service.start_type != start_type:
        node.service.start_type = start_type
        cluster.truth.act(cluster.now, node.name, "start-type", start_type=start_type)


def set_watchdog(cluster: Cluster, node: Node, enabled: bool) -> None:
    """Enables or disables the watchdog's scheduled task."""
    if node.watchdog_enabled is not None and node.watchdog_enabled != enabled:
        node.watchdog_enabled = enabled
        action = "watchdog-enable" if enabled else "watchdog-disable"
        cluster.truth.act(cluster.now, node.name, action)


def watchdog(cluster: Cluster, node: Node) -> Course:
    """The scheduled task: looks every five minutes for ever."""
    while True:
        yield cluster.durations.watchdog_interval
        _watchdog_looks(cluster, node)


def serve_from_beginning(cluster: Cluster, node: Node) -> None:
    """Puts a node into the state of one that has served for long."""
    service = node.service
    service.state = "running"
    service.process_id = node.new_process_id()
    service.process_started = node.boot_time
    service.version = node.version
    service.serving = True
    row = cluster.database.rows[node.name]
    row.heartbeats_since = cluster.now
    row.last_seen = cluster.now
    tasks.pick_up(cluster, node)


def _watchdog_looks(cluster: Cluster, node: Node) -> None:
    service = node.service
    if node.watchdog_enabled and service.state == "stopped" and service.start_type != "disabled":
        start(cluster, node, "watchdog")


def _run(cluster: Cluster, node: Node) -> Course:
    """A server process from its start to its serving, or to its early end."""
    service, durations = node.service, cluster.durations
    running = cluster.seconds(node, durations.service_running)
    whole_start = cluster.seconds(node, durations.start)
    yield running
    if node.missing_files:
        # .NET does not find an assembly: the process is gone before it counts as Running.
        _gone(cluster, node, clean=False)
        return
    service.state = "running"
    if _cannot_serve(cluster, node):
        yield cluster.seconds(node, durations.failing_process)
        _gone(cluster, node, clean=False)
        return
    newer = version_key(service.version) > version_key(cluster.database.schema_version)
    # A newer server upgrades the schema at its start (domain.md 1.1).
    if newer and not (yield from schema.upgrade_at_start(cluster, node)):
        _gone(cluster, node, clean=False)
        return
    yield max(0.0, whole_start - running)
    row = cluster.database.rows[node.name]
    row.heartbeats_since = cluster.now
    service.serving = True
    cluster.truth.act(cluster.now, node.name, "serving", version=service.version)
    cluster.rules.serves(cluster, node)
    service.course = None
    tasks.pick_up_soon(cluster, node)


def _cannot_serve(cluster: Cluster, node: Node) -> bool:
    if cluster.faults.take(node.scope, "service-will-not-start") is not None:
        return True
    if cluster.faults.has("database", "down"):
        return True
    # A server whose binaries are older than what last used the database refuses (I#6366).
    return version_key(node.service.version) < version_key(cluster.database.schema_version)


def _stop(cluster: Cluster, node: Node) -> Course:
    yield cluster.seconds(node, cluster.durations.stop)
    if node.service.stop_action is not None:
        took(node.service.stop_action, cluster.now - node.service.stop_action["at"])
        node.service.stop_action = None
    _gone(cluster, node, clean=True)


def _gone(cluster: Cluster, node: Node, clean: bool) -> None:
    service, row = node.service, cluster.database.rows[node.name]
    service.state = "stopped"
    service.process_id = 0
    service.version = ""
    service.serving = False
    service.course = None
    node.stopped_at = cluster.now
    cluster.truth.act(cluster.now, node.name, "service-stopped", clean=clean)
    if row.heartbeats_since is not None:
        row.last_seen = schema.last_heartbeat(cluster, row)
        row.heartbeats_since = None
        # Without a clean stop the others only notice that heartbeats stay away.
        lag = cluster.durations.offline_lag if clean else cluster.durations.heartbeat
        row.alive_until = cluster.now + lag / cluster.schedule.clock.speed
    tasks.process_gone(cluster, node)
    if cluster.faults.has(node.scope, "watchdog-restarts"):
        cluster.schedule.after(1.0, lambda: _watchdog_looks(cluster, node))
