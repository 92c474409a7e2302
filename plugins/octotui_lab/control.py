"""The lab's control endpoint: its ground truth, its faults, its end, and the shim's questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from octotui_lab.hosts import WindowsHost
from octotui_lab.world import World


def control_application(
    world: World, hosts: Mapping[str, WindowsHost], stop: Callable[[], None]
) -> web.Application:
    """The application. ``stop`` is called once ``POST /stop`` was answered.

    ``GET /truth`` (``?final=true`` also judges how things were left), ``POST /fault`` with
    ``{"fault": TEXT}``, ``GET /health``, ``POST /stop``, and ``POST /windows/NODE/CALL``, which is
    one primitive call of a node (``host_calls``). What is wrong with a request is the text of its
    400 or 404.
    """

    async def truth(request: web.Request) -> web.Response:
        final = request.query.get("final", "").lower() in {"1", "true"}
        return web.json_response(world.truth(final=final))

    async def fault(request: web.Request) -> web.Response:
        text = (await _document(request)).get("fault")
        if not isinstance(text, str):
            raise web.HTTPBadRequest(text='send {"fault": "SCOPE:NAME"}')
        try:
            world.add_fault(text)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.json_response({"fault": text})

    async def health(_: web.Request) -> web.Response:
        states = {name: world.rest_state(name) for name in world.node_names}
        return web.json_response({"healthy": True, "nodes": states})

    async def end(request: web.Request) -> web.Response:
        answer = web.json_response({"stopping": True})
        await answer.prepare(request)
        await answer.write_eof()
        stop()
        return answer

    async def windows(request: web.Request) -> web.Response:
        host = hosts.get(request.match_info["node"])
        if host is None:
            raise web.HTTPNotFound(text=f"there is no node {request.match_info['node']}")
        arguments = await _document(request)
        try:
            return web.json_response(await host.call(request.match_info["call"], arguments))
        except (ValueError, FileNotFoundError) as error:
            raise web.HTTPBadRequest(text=str(error)) from None

    application = web.Application()
    application.router.add_get("/truth", truth)
    application.router.add_post("/fault", fault)
    application.router.add_get("/health", health)
    application.router.add_post("/stop", end)
    application.router.add_post("/windows/{node}/{call}", windows)
    return application


async def _document(request: web.Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.read() or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise web.HTTPBadRequest(text="the request holds no JSON object")
    return document
