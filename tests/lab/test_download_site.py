"""The lab's download site, through a client that is not ours."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from aiohttp import test_utils

from octotui_lab.catalogue import load_catalogue
from octotui_lab.download_site import make_site

PACKAGES = Path(str(resources.files("octotui_lab") / "packages"))
PACKAGE = load_catalogue().packages[-1]
PATH = f"/octopus/{PACKAGE.file_name}"


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
async def client(faults: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        test_utils.TestServer(make_site(PACKAGES, lambda: faults)) as server,
        httpx.AsyncClient(base_url=str(server.make_url("/")), trust_env=False) as client,
    ):
        yield client


async def test_the_feed_lists_every_package(client: httpx.AsyncClient) -> None:
    feed = (await client.get("/download/upgrade/v3")).json()
    assert [entry["Version"] for entry in feed] == [p.version for p in load_catalogue().packages]


async def test_head_publishes_hash_and_size(client: httpx.AsyncClient) -> None:
    answer = await client.head(PATH)
    assert answer.status_code == 200
    assert answer.headers["x-amz-meta-sha256"] == PACKAGE.sha256
    assert int(answer.headers["content-length"]) == PACKAGE.size
    assert answer.content == b""


async def test_get_is_the_file_of_the_catalogue(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    assert hashlib.sha256(answer.content).hexdigest() == PACKAGE.sha256


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for name in ("Octopus.2020.1.0-x64.msi", "packages.json", "..%2Fcatalogue.py"):
        assert (await client.get(f"/octopus/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=100-199", 206, 100, 200),
        ("bytes=13000-", 206, 13000, PACKAGE.size),
        ("bytes=-10", 206, PACKAGE.size - 10, PACKAGE.size),
        ("bytes=13000-99999", 206, 13000, PACKAGE.size),
        ("bytes=99999-", 416, 0, 0),
        ("lines=1-2", 200, 0, PACKAGE.size),
    ],
)
async def test_ranges(
    client: httpx.AsyncClient, asked: str, status: int, start: int, stop: int
) -> None:
    whole = (PACKAGES / PACKAGE.file_name).read_bytes()
    answer = await client.get(PATH, headers={"Range": asked})
    assert answer.status_code == status
    assert answer.content == whole[start:stop]
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"


async def test_a_range_of_another_file_gets_the_whole_one(client: httpx.AsyncClient) -> None:
    etag = (await client.head(PATH)).headers["etag"]
    ask = {"Range": "bytes=100-"}
    assert (await client.get(PATH, headers=ask | {"If-Range": etag})).status_code == 206
    assert (await client.get(PATH, headers=ask | {"If-Range": '"old"'})).status_code == 200


async def test_tampered_keeps_size_and_published_hash(
    client: httpx.AsyncClient, faults: list[str]
) -> None:
    faults.append("tampered")
    answer = await client.get(PATH)
    assert len(answer.content) == PACKAGE.size
    assert answer.headers["x-amz-meta-sha256"] == PACKAGE.sha256
    assert hashlib.sha256(answer.content).hexdigest() != PACKAGE.sha256


@pytest.mark.parametrize("fault", ["truncated", "resets"])
async def test_a_transfer_that_breaks_off(
    client: httpx.AsyncClient, faults: list[str], fault: str
) -> None:
    faults.append(fault)
    with pytest.raises(httpx.TransportError):
        await client.get(PATH)
    assert (await client.head(PATH)).status_code == 200
    faults.clear()
    assert len((await client.get(PATH)).content) == PACKAGE.size


async def test_a_portal_in_the_way(client: httpx.AsyncClient, faults: list[str]) -> None:
    faults.append("html-page")
    answer = await client.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


async def test_an_occasion_is_a_get_of_a_package() -> None:
    asked = []

    def faults() -> list[str]:
        asked.append(True)
        return []

    async with (
        test_utils.TestServer(make_site(PACKAGES, faults)) as server,
        httpx.AsyncClient(base_url=str(server.make_url("/")), trust_env=False) as client,
    ):
        await client.get("/download/upgrade/v3")
        await client.head(PATH)
        assert asked == []
        await client.get(PATH)
        assert asked == [True]
