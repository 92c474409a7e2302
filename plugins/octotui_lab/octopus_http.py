"""The lab's REST API over aiohttp: a thin skin on ``octopus_api``."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from octotui_lab.octopus_messages import API_KEY_HEADER, ApiRequest, ApiResponse, NobodyListens


def octopus_application(respond: Callable[[ApiRequest], ApiResponse]) -> web.Application:
    """An application whose every path is answered by ``respond``."""

    async def answer(http: web.Request) -> web.Response:
        request = ApiRequest(
            http.method,
            http.path,
            {name.lower(): value for name, value in http.query.items()},
            http.headers.get(API_KEY_HEADER),
            await http.read(),
        )
        try:
            response = respond(request)
        except NobodyListens:
            # The server's process ended with this request in its hands.
            if http.transport is not None:
                http.transport.abort()
            return web.Response()
        return web.Response(
            status=response.status,
            body=response.body,
            content_type=response.content_type,
            headers=response.headers,
        )

    http = web.Application()
    http.router.add_route("*", "/{path:.*}", answer)
    return http
