"""Ports that open and close with what stands behind them, and the certificates they show."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from octotui_lab.certificates import issue
from octotui_lab.door import Door


@asynccontextmanager
async def door(
    tls: ssl.SSLContext | None = None, admits: Callable[[], bool] = lambda: True
) -> AsyncIterator[Door]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    application = web.Application()
    application.router.add_get("/", hello)
    made = Door(application, "127.0.0.1", tls, admits)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def get(url: str, verify: ssl.SSLContext | bool = True) -> str:
    async with httpx.AsyncClient(verify=verify, timeout=5) as client:
        return (await client.get(url)).text


async def test_a_closed_door_refuses_keeps_its_port_and_opens_again() -> None:
    async with door() as made:
        for _ in range(3):
            assert await get(made.url) == "hello"
            await made.close()
            await made.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((made.address, made.port), 2)
            made.open()
            made.open()
        assert await get(made.url) == "hello"


async def test_the_port_of_a_closed_door_is_nobody_elses() -> None:
    async with door() as made:
        await made.close()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((made.address, made.port))


async def test_a_door_that_does_not_admit_resets_before_any_byte() -> None:
    answers = iter([False, True])
    async with door(admits=lambda: next(answers)) as made:
        with pytest.raises((httpx.ReadError, httpx.ConnectError)):
            await get(made.url)
        assert await get(made.url) == "hello"


async def test_clients_that_speak_no_tls_harm_nobody(tmp_path: Path) -> None:
    certificate = issue(["127.0.0.1"], tmp_path)
    trust = ssl.create_default_context(cadata=certificate.authority_pem.decode())
    async with door(certificate.context) as made:
        with pytest.raises(httpx.HTTPError):
            await get(made.url.replace("https:", "http:"))
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await get(made.url)
        assert await get(made.url, trust) == "hello"


async def test_the_certificate_satisfies_the_strictest_client(tmp_path: Path) -> None:
    certificate = issue(["127.0.0.1"], tmp_path)
    trust = ssl.create_default_context(cadata=certificate.authority_pem.decode())
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    async with door(certificate.context) as made:
        assert await get(made.url, trust) == "hello"
        assert await get(f"https://localhost:{made.port}", trust) == "hello"


async def test_the_certificate_is_for_its_addresses_alone(tmp_path: Path) -> None:
    certificate = issue(["127.0.0.9"], tmp_path)
    trust = ssl.create_default_context(cadata=certificate.authority_pem.decode())
    async with door(certificate.context) as made:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await get(made.url, trust)


def test_no_key_stays_on_disk(tmp_path: Path) -> None:
    issue(["127.0.0.1"], tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_broken_handshakes_do_not_touch_other_connections(tmp_path: Path) -> None:
    certificate = issue(["127.0.0.1"], tmp_path)
    trust = ssl.create_default_context(cadata=certificate.authority_pem.decode())

    async def break_off(made: Door) -> None:
        _, writer = await asyncio.open_connection(made.address, made.port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        await asyncio.sleep(0)
        writer.transport.abort()

    async def greet(made: Door) -> None:
        reader, writer = await asyncio.open_connection(made.address, made.port, ssl=trust)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")
        writer.close()

    async with door(certificate.context) as made, asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(break_off(made))
            group.create_task(greet(made))
