"""The Octopus REST API of one node, as a function of the world and a request.

Knows no sockets: ``octopus_http`` serves it over aiohttp, ``inprocess_http`` hands it to httpx.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from octotui_lab import octopus_resources as resources
from octotui_lab.model.state import ServerTask
from octotui_lab.octopus_messages import (
    NODE_HEADER,
    ApiRequest,
    ApiResponse,
    ApiSettings,
    NobodyListens,
)
from octotui_lab.octopus_report import system_report
from octotui_lab.world import NodeSummary, World

_DEFAULT_TAKE = 30
_STARTING = "<html><head><title>Octopus Server is starting</title></head><body/></html>"
_PORTAL = "<html><head><title>Octopus Deploy</title></head><body/></html>"


class _Problem(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Call:
    """What a handler is given."""

    world: World
    node: str
    settings: ApiSettings
    request: ApiRequest
    match: re.Match[str]

    @property
    def api(self) -> str:
        return self.settings.api

    def number(self, name: str, default: int) -> int:
        text = self.request.query.get(name, "")
        if not text:
            return default
        if not text.isdecimal():
            raise _Problem(400, f"{name} must be a number")
        return int(text)

    def flag(self, name: str) -> bool:
        return self.request.query.get(name, "").lower() == "true"

    def words(self, name: str) -> list[str]:
        return [word for word in self.request.query.get(name, "").split(",") if word]

    def document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.request.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise _Problem(400, "The request holds no JSON object")
        return document

    def row(self) -> NodeSummary:
        """The node that the path names."""
        for row in self.world.summary():
            if row.id.lower() == self.match["id"].lower():
                return row
        raise _Problem(404, f"There is no node {self.match['id']}")

    def task(self) -> ServerTask:
        """The task that the path names."""
        for task in self.world.tasks():
            if task.id.lower() == self.match["id"].lower():
                return task
        raise _Problem(404, f"There is no task {self.match['id']}")


_Handler: TypeAlias = Callable[[_Call], ApiResponse]


def respond(world: World, node: str, request: ApiRequest, settings: ApiSettings) -> ApiResponse:
    """What the node answers now. Raises NobodyListens where its service is stopped."""
    state = world.rest_state(node)
    if state == "refused":
        raise NobodyListens(node)
    if state == "booting":
        return ApiResponse(503, _STARTING, {"Retry-After": "5"})
    try:
        answer = _dispatch(world, node, request, settings)
    except _Problem as problem:
        answer = ApiResponse(problem.status, resources.error(str(problem)))
    return ApiResponse(answer.status, answer.content, {**answer.headers, NODE_HEADER: node})


def _dispatch(world: World, node: str, request: ApiRequest, settings: ApiSettings) -> ApiResponse:
    path = request.path.rstrip("/") or "/"
    if not path.lower().startswith(settings.api.lower()):
        return _portal(path, settings)
    inner = path[len(settings.api) :]
    allowed = set()
    for route in _ROUTES:
        if match := route.pattern.fullmatch(inner):
            allowed.add(route.method)
            if route.method == request.method:
                _authorize(world, request, settings, route)
                return route.handler(_Call(world, node, settings, request, match))
    if not allowed:
        raise _Problem(404, f"There is nothing at {request.path}")
    raise _Problem(405, f"{request.method} is not allowed at {request.path}")


def _portal(path: str, settings: ApiSettings) -> ApiResponse:
    """What a browser gets."""
    if path == f"{settings.directory}/app":
        return ApiResponse(200, _PORTAL)
    if path == (settings.directory or "/"):
        return ApiResponse(302, "", {"Location": f"{settings.directory}/app"})
    return ApiResponse(404, "<html><head><title>Not found</title></head><body/></html>")


def _authorize(world: World, request: ApiRequest, settings: ApiSettings, route: _Route) -> None:
    """Raises _Problem where the API key's user may not do this."""
    if request.api_key is None:
        if route.access == "anonymous":
            return
        raise _Problem(401, "You must be logged in to perform this action")
    if request.api_key != settings.api_key:
        raise _Problem(401, "The API key you provided was not valid")
    if world.api_key_administers():
        return
    if route.access == "administrator":
        raise _Problem(403, "You do not have permission to do this: it needs AdministerSystem")
    if request.method != "GET" and world.maintenance:
        # The wording of the real answer is not known (domain.md 3.2).
        raise _Problem(403, "Octopus is in maintenance mode: only administrators change things")


def _root(call: _Call) -> ApiResponse:
    return ApiResponse(200, resources.root(call.world, call.node, call.api))


def _nodes(call: _Call) -> ApiResponse:
    wanted, part = call.words("ids"), call.request.query.get("partialname", "").lower()
    rows = [
        resources.node_resource(row, call.api)
        for row in call.world.summary()
        if (not wanted or row.id in wanted) and part in row.name.lower()
    ]
    skip, take = call.number("skip", 0), call.number("take", _DEFAULT_TAKE)
    path = f"{call.api}/octopusservernodes"
    return ApiResponse(200, resources.page("OctopusServerNode", rows, skip, take, path))


def _all_nodes(call: _Call) -> ApiResponse:
    rows = call.world.summary()
    return ApiResponse(200, [resources.node_resource(row, call.api) for row in rows])


def _summary(call: _Call) -> ApiResponse:
    rows = [resources.summary_row(row, call.api) for row in call.world.summary()]
    return ApiResponse(200, {"Nodes": rows, "Links": {"Self": f"{call.api}{call.match[0]}"}})


def _ping(call: _Call) -> ApiResponse:
    row = next(row for row in call.world.summary() if row.name == call.node)
    status = 418 if row.draining or row.offline else 200
    return ApiResponse(status, resources.ping(row, call.api))


def _node(call: _Call) -> ApiResponse:
    return ApiResponse(200, resources.node_resource(call.row(), call.api))


def _node_details(call: _Call) -> ApiResponse:
    return ApiResponse(200, {"RunningTasks": call.row().running_tasks})


def _put_node(call: _Call) -> ApiResponse:
    row, wanted = call.row(), call.document()
    # Left out is 0: a node for the web site only (domain.md 3.3).
    cap = wanted.get("MaxConcurrentTasks", 0)
    draining = wanted.get("IsInMaintenanceMode", False)
    if type(cap) is not int or cap < 0 or type(draining) is not bool:
        raise _Problem(400, "MaxConcurrentTasks or IsInMaintenanceMode has a bad value")
    if row.name not in call.world.node_names:
        raise _Problem(400, f"The lab cannot change {row.name}, a node of no known host")
    call.world.set_node(row.name, draining=draining, task_cap=cap)
    return _node(call)


def _maintenance(call: _Call) -> ApiResponse:
    return ApiResponse(200, resources.maintenance_configuration(call.world, call.api))


def _put_maintenance(call: _Call) -> ApiResponse:
    on = call.document().get("IsInMaintenanceMode", False)
    if type(on) is not bool:
        raise _Problem(400, "IsInMaintenanceMode must be true or false")
    call.world.set_maintenance(on)
    return _maintenance(call)


def _tasks(call: _Call) -> ApiResponse:
    states, ids = call.words("states"), call.words("ids")
    node = call.request.query.get("node", "")
    interrupted = call.flag("haspendinginterruptions")
    tasks = [
        task
        for task in call.world.tasks()
        if (not (call.flag("running") or call.flag("active")) or task.running)
        and (not states or task.state in states)
        and (not ids or task.id in ids)
        and (not node or f"OctopusServerNodes-{task.node}" == node)
        and (not interrupted or call.world.waits_for_person(task))
    ]
    items = [resources.task_resource(call.world, task, call.api) for task in tasks]
    skip, take = call.number("skip", 0), call.number("take", _DEFAULT_TAKE)
    return ApiResponse(
        200,
        resources.page(
            "Task",
            items,
            skip,
            take,
            f"{call.api}/tasks",
            TotalCounts=resources.state_counts(tasks),
            TotalCountsInOtherSpaces={},
        ),
    )


def _task(call: _Call) -> ApiResponse:
    return ApiResponse(200, resources.task_resource(call.world, call.task(), call.api))


def _cancel_task(call: _Call) -> ApiResponse:
    task = call.task()
    if not call.world.cancel_task(task.id):
        raise _Problem(400, f"{task.id} has ended and cannot be cancelled")
    return _task(call)


def _health(call: _Call) -> ApiResponse:
    document = resources.health(call.world)
    return ApiResponse(200 if document["IsOperatingNormally"] else 418, document)


def _system_report(call: _Call) -> ApiResponse:
    return ApiResponse(200, system_report(call.world, call.node, call.settings.api_key))


def _me(call: _Call) -> ApiResponse:
    user = {"Id": "Users-1", "Username": "svc-octotui", "IsActive": True, "IsService": True}
    return ApiResponse(200, user)


@dataclass(frozen=True, slots=True)
class _Route:
    """``access``: who may; a user without AdministerSystem changes nothing in maintenance mode."""

    method: str
    pattern: re.Pattern[str]
    handler: _Handler
    access: str


def _route(method: str, pattern: str, handler: _Handler, access: str = "user") -> _Route:
    return _Route(method, re.compile(pattern, re.IGNORECASE), handler, access)


_NODES, _NODE = "/octopusservernodes", "/octopusservernodes/(?P<id>OctopusServerNodes-[^/]+)"
_TASKS = "(?:/Spaces-[0-9]+)?/tasks"

_ROUTES = (
    _route("GET", "", _root, "anonymous"),
    _route("GET", _NODES, _nodes, "administrator"),
    _route("GET", f"{_NODES}/all", _all_nodes, "administrator"),
    _route("GET", f"{_NODES}/summary", _summary, "administrator"),
    _route("GET", f"{_NODES}/ping", _ping, "anonymous"),
    _route("GET", _NODE, _node, "administrator"),
    _route("PUT", _NODE, _put_node, "administrator"),
    _route("GET", f"{_NODE}/details", _node_details, "administrator"),
    _route("GET", "/maintenanceconfiguration", _maintenance, "administrator"),
    _route("PUT", "/maintenanceconfiguration", _put_maintenance, "administrator"),
    _route("GET", _TASKS, _tasks),
    _route("GET", f"{_TASKS}/(?P<id>ServerTasks-[0-9]+)", _task),
    _route("POST", f"{_TASKS}/(?P<id>ServerTasks-[0-9]+)/cancel", _cancel_task),
    _route(
        "GET",
        "/licenses/licenses-current-status",
        lambda call: ApiResponse(200, resources.license_status(call.world)),
    ),
    _route(
        "GET",
        "/licenses/licenses-current",
        lambda call: ApiResponse(200, resources.license_resource()),
        "administrator",
    ),
    _route(
        "GET",
        "/serverstatus",
        lambda call: ApiResponse(200, resources.server_status(call.world, call.node)),
    ),
    _route("GET", "/serverstatus/health", _health, "anonymous"),
    _route("GET", "/serverstatus/hosted/internal", lambda call: ApiResponse(200, {}), "anonymous"),
    _route(
        "GET",
        "/serverstatus/system-info",
        lambda call: ApiResponse(200, resources.system_info(call.world, call.node)),
        "administrator",
    ),
    _route("GET", "/serverstatus/system-report", _system_report, "administrator"),
    _route(
        "GET",
        "/configuration/server-folders/values",
        lambda call: ApiResponse(200, resources.server_folders(call.world, call.node)),
        "administrator",
    ),
    _route("GET", "/users/me", _me),
)
