"""octotui's own client against the lab's servers, over real sockets and TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr

from octotui.api.errors import ApiKeyRefused, ServerError, ServerNotReady
from octotui.octopus import open_server
from octotui_lab.door import Door
from octotui_lab.inprocess_http import InProcessHttp, node_host
from octotui_lab.octopus_messages import ApiSettings
from octotui_lab.world import INSTALLATION_ID
from tests.lab.rest_estate import KEY, RestEstate, rest_estate
from tests.lab_estate import OLD


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[RestEstate]:
    async with rest_estate(tmp_path) as estate:
        yield estate


async def test_the_cluster_is_read_and_steered(lab: RestEstate) -> None:
    server = lab.server()
    facts = await server.facts()
    assert (facts.version, facts.installation_id) == (OLD, INSTALLATION_ID)
    assert (facts.maintenance, facts.license.compliant) == (False, True)
    assert [node.name for node in facts.nodes] == ["OCTO1", "OCTO2"]

    await server.set_maintenance(True)
    assert await server.maintenance() is True
    for node in facts.nodes:
        await server.set_draining(node.id, True)
    drained = await server.nodes()
    assert [(n.draining, n.max_concurrent_tasks) for n in drained] == [(True, 5), (True, 5)]
    running = await server.running_tasks()
    assert {task.node_id for task in running} == {node.id for node in drained}

    await server.cancel_task(running[0].id)
    await lab.pass_time(31)
    assert await server.running_tasks() == ()
    await server.cancel_task(running[0].id)

    for node in drained:
        await server.set_draining(node.id, False)
    await server.set_maintenance(False)
    truth = lab.world.truth(final=True)
    assert truth["violations"] == []
    assert not any(node["draining"] for node in truth["nodes"].values())
    await server.close()


async def test_serving_through_a_restart(lab: RestEstate) -> None:
    server = lab.server()
    url = lab.nodes["OCTO1"]
    serving = await server.serving(url)
    assert (serving.version, serving.serving, serving.reason) == (OLD, True, "")
    await lab.stop("OCTO1")
    refused = await server.serving(url)
    assert (refused.serving, "connection refused" in refused.reason) == (False, True)
    await lab.start("OCTO1", 10)
    assert (await server.serving(url)).reason == "HTTP 503, it is starting"
    await lab.pass_time(51)
    assert (await server.serving(url)).serving is True
    lab.world.set_node("OCTO1", draining=True, task_cap=5)
    assert (await server.serving(url)).serving is True, "a drained node serves"
    await server.close()


async def test_nobody_there(lab: RestEstate) -> None:
    await lab.stop("OCTO1")
    server = lab.server(lab.nodes["OCTO1"], patience=0)
    with pytest.raises(ServerNotReady, match="connection refused"):
        await server.facts()
    await server.close()


async def test_not_an_administrator(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "api-key:not-administrator", nodes=1) as lab:
        server = lab.server()
        with pytest.raises(ApiKeyRefused, match="AdministerSystem"):
            await server.facts()
        await server.close()


async def test_a_certificate_that_is_not_trusted(lab: RestEstate) -> None:
    server = open_server(lab.balancer, SecretStr(KEY), ca=None)
    with pytest.raises(ServerError, match="is not trusted") as raised:
        await server.facts()
    assert not isinstance(raised.value, ServerNotReady)
    with pytest.raises(ServerError, match="is not trusted"):
        await server.serving(lab.nodes["OCTO1"])
    assert "is not trusted" in await server.smoke(f"{lab.balancer}/app", 200, 5.0)
    await server.close()


async def test_smoke(lab: RestEstate) -> None:
    server = lab.server()
    assert await server.smoke(f"{lab.balancer}/", 200, 5.0) == ""
    assert await server.smoke(f"{lab.balancer}/gone", 200, 5.0) == "it answers HTTP 404, not 200"
    await server.close()


async def test_a_virtual_directory(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, nodes=1, directory="/octopus") as lab:
        server = lab.server()
        assert (await server.facts()).version == OLD
        await server.set_maintenance(True)
        assert lab.world.maintenance is True
        assert (await server.serving(lab.nodes["OCTO1"])).serving is True
        await server.close()


async def test_plain_http_where_tls_is_meant(lab: RestEstate) -> None:
    server = lab.server(lab.balancer.replace("https:", "http:"), patience=0)
    with pytest.raises(ServerError):
        await server.facts()
    await server.close()


async def test_the_key_does_not_follow_a_redirect_over_sockets(tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("X-Octopus-ApiKey"))
        return web.json_response({"Version": "9"})

    async def lure(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{other.url}{request.path}")

    applications = [web.Application(), web.Application()]
    for application, handler in zip(applications, (elsewhere, lure), strict=True):
        application.router.add_get("/{path:.*}", handler)
    other, door = (Door(application, "127.0.0.1", None) for application in applications)
    try:
        await other.start()
        await door.start()
        server = open_server(door.url, SecretStr(KEY), ca=None)
        with pytest.raises(ServerError, match="redirects to"):
            await server.facts()
        assert await server.smoke(f"{door.url}/app", 200, 5.0) == ""
        assert seen == [None], "the page was visited, without the key"
        await server.close()
    finally:
        await door.stop()
        await other.stop()


async def test_the_same_answers_without_sockets(lab: RestEstate) -> None:
    transport = InProcessHttp(lab.world, ApiSettings(KEY))
    server = open_server("https://octopus.lab", SecretStr(KEY), ca=None, transport=transport)
    over_sockets = lab.server()
    assert await server.facts() == await over_sockets.facts()
    assert await server.running_tasks() == await over_sockets.running_tasks()
    await lab.stop("OCTO2")
    refused = await server.serving(f"https://{node_host('OCTO2')}")
    assert "connection refused" in refused.reason
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(httpx.Request("GET", "https://elsewhere/api"))
    await server.close()
    await over_sockets.close()
