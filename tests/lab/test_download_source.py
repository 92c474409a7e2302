"""The official source against sites that do what sites do."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import stamina
from aiohttp import test_utils, web

from octotui.api import Package
from octotui.api.errors import SourceError
from octotui_downloads.attempts import ATTEMPTS
from octotui_downloads.fetch import MSI_MAGIC
from octotui_downloads.official import OfficialSource
from octotui_downloads.settings import OfficialSettings
from octotui_lab.certificates import issue

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

VERSION = "2025.4.10428"
NAME = f"Octopus.{VERSION}-x64.msi"
DATA = MSI_MAGIC + bytes(range(256)) * 3000
SHA256 = hashlib.sha256(DATA).hexdigest()
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Sites:
    """Servers of one handler each, and sources that ask them."""

    def __init__(self) -> None:
        self._servers: list[test_utils.RawTestServer] = []
        self._sources: list[OfficialSource] = []

    async def serve(self, handler: Handler, tls: ssl.SSLContext | None = None) -> str:
        server = test_utils.RawTestServer(handler)
        await server.start_server(ssl=tls)
        self._servers.append(server)
        return f"{server.scheme}://127.0.0.1:{server.port}"

    def source(self, base: str, ca: Path | None = None) -> OfficialSource:
        settings = OfficialSettings(
            feed_url=f"{base}/feed", package_url=f"{base}/Octopus.{{version}}-x64.msi", ca=ca
        )
        self._sources.append(OfficialSource(settings))
        return self._sources[-1]

    async def close(self) -> None:
        for source in self._sources:
            await source.close()
        for server in self._servers:
            await server.close()


@pytest.fixture
async def sites() -> AsyncIterator[Sites]:
    sites = Sites()
    yield sites
    await sites.close()


def answering(*responses: Callable[[], web.StreamResponse]) -> tuple[Handler, list[str]]:
    """A handler that gives these answers in turn, the last one for ever, and what it was asked."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path}")
        return responses[min(len(asked), len(responses)) - 1]()

    return handle, asked


def msi(data: bytes = DATA, **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(body=data, headers=headers, content_type="application/x-msi")


def status(code: int, **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=code, headers=headers)


def page() -> web.Response:
    return web.Response(text="<!DOCTYPE html><title>Sign in</title>", content_type="text/html")


def ignore(done: int, total: int | None) -> None: ...


async def source_url(sites: Sites, handle: Handler) -> str:
    """The address of a package at a site with that handler."""
    return f"{await sites.serve(handle)}/{NAME}"


async def refused(call: Awaitable[Any]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await call
    return caught.value


async def test_a_hash_that_is_not_published_is_empty_and_then_that_of_what_arrived(
    sites: Sites, tmp_path: Path
) -> None:
    handle, _ = answering(msi())
    source = sites.source(await sites.serve(handle))
    located = await source.locate(VERSION)
    assert (located.file_name, located.sha256, located.size) == (NAME, "", len(DATA))
    fetched = await source.download(located, tmp_path / NAME, ignore)
    assert (fetched.sha256, fetched.size) == (SHA256, len(DATA))


async def test_the_file_itself_is_asked_for_and_no_compression_of_it(
    sites: Sites, tmp_path: Path
) -> None:
    accepted: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        accepted.append(request.headers.get("Accept-Encoding", ""))
        return msi()()

    source = sites.source(await sites.serve(handle))
    await source.download(await source.locate(VERSION), tmp_path / NAME, ignore)
    assert accepted == ["identity", "identity"]


@pytest.mark.parametrize("published", ["", "yes", "0" * 63, "g" * 64])
async def test_a_hash_that_is_none_is_not_published(sites: Sites, published: str) -> None:
    handle, _ = answering(msi(**{"x-amz-meta-sha256": published}))
    assert (await sites.source(await sites.serve(handle)).locate(VERSION)).sha256 == ""


async def test_a_hash_in_capitals_is_the_same(sites: Sites, tmp_path: Path) -> None:
    handle, _ = answering(msi(**{"x-amz-meta-sha256": SHA256.upper()}))
    source = sites.source(await sites.serve(handle))
    located = await source.locate(VERSION)
    assert located.sha256 == SHA256
    assert await source.download(located, tmp_path / NAME, ignore) == located


async def test_a_size_that_is_not_told(sites: Sites, tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        if request.method == "GET":
            await response.write(DATA)
        return response

    told: list[tuple[int, int | None]] = []
    source = sites.source(await sites.serve(handle))
    located = await source.locate(VERSION)
    assert located.size is None
    fetched = await source.download(located, tmp_path / NAME, lambda *p: told.append(p))
    assert fetched.size == len(DATA)
    assert told[0] == (0, None)
    assert told[-1] == (len(DATA), None)


async def test_a_site_that_is_busy_is_asked_again(sites: Sites, tmp_path: Path) -> None:
    handle, asked = answering(status(503), status(429), msi())
    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, SHA256, len(DATA))
    await sites.source(url).download(package, tmp_path / NAME, ignore)
    assert len(asked) == 3
    assert (tmp_path / NAME).read_bytes() == DATA


async def test_a_site_that_stays_busy_is_given_up(sites: Sites) -> None:
    handle, asked = answering(status(503))
    error = await refused(sites.source(await sites.serve(handle)).releases())
    assert "answers 503 Service Unavailable (tried 4 times)" in str(error)
    assert asked == ["GET /feed"] * ATTEMPTS


async def test_a_transfer_that_breaks_off_begins_anew(sites: Sites, tmp_path: Path) -> None:
    asked: list[int] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(1)
        response = web.StreamResponse()
        response.content_length = len(DATA)
        await response.prepare(request)
        await response.write(DATA if len(asked) == 3 else DATA[:300_000])
        if len(asked) < 3 and request.transport is not None:
            request.transport.close()
        return response

    url = await source_url(sites, handle)
    told: list[int] = []
    package = Package(VERSION, NAME, url, SHA256, len(DATA))
    source = sites.source(url)
    await source.download(package, tmp_path / NAME, lambda done, total: told.append(done))
    assert (tmp_path / NAME).read_bytes() == DATA
    assert told.count(0) == 3, "progress starts again"
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


async def test_a_transfer_that_always_breaks_off_tells_how_far_it_got(
    sites: Sites, tmp_path: Path
) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(DATA)
        await response.prepare(request)
        await response.write(DATA[:1000])
        if request.transport is not None:
            request.transport.close()
        return response

    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, SHA256, len(DATA))
    error = await refused(sites.source(url).download(package, tmp_path / NAME, ignore))
    assert f"only 1000 of {len(DATA)} bytes" in str(error)
    assert "tried 4 times" in str(error)
    assert "Nothing of it was kept" in str(error)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DATA[:-1] + b"\x00", f"its SHA-256 is {hashlib.sha256(DATA[:-1] + bytes(1)).hexdigest()}"),
        (DATA + b"\x00", f"it has {len(DATA) + 1} bytes, published are {len(DATA)}"),
        (DATA[:-1], f"it has {len(DATA) - 1} bytes, published are {len(DATA)}"),
        (b"PK\x03\x04" + DATA, "bytes, published are"),
    ],
    ids=["changed", "longer", "shorter", "other"],
)
async def test_what_is_not_what_was_published_is_not_asked_for_again(
    sites: Sites, tmp_path: Path, data: bytes, words: str
) -> None:
    handle, asked = answering(msi(data))
    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, SHA256, len(DATA))
    error = await refused(sites.source(url).download(package, tmp_path / NAME, ignore))
    assert words in str(error)
    assert "Nothing of it was kept" in str(error)
    assert len(asked) == 1
    assert not list(tmp_path.iterdir())


def chunked(data: bytes) -> tuple[Handler, list[str]]:
    """A site that does not tell the size before it sends."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(data)
        return response

    return handle, asked


@pytest.mark.parametrize(
    ("data", "words", "times"),
    [
        (DATA + b"\x00", f"it has {len(DATA) + 1} bytes, published are {len(DATA)}", 1),
        (DATA[:-1], "the site ended the transfer early", ATTEMPTS),
        (b"", "the site ended the transfer early", ATTEMPTS),
    ],
    ids=["longer", "shorter", "nothing"],
)
async def test_a_size_that_is_only_seen_at_the_end_is_compared_too(
    sites: Sites, tmp_path: Path, data: bytes, words: str, times: int
) -> None:
    handle, asked = chunked(data)
    url = await source_url(sites, handle)
    # Not even the hash would tell it here: nothing was published but the size.
    package = Package(VERSION, NAME, url, "", len(DATA))
    error = await refused(sites.source(url).download(package, tmp_path / NAME, ignore))
    assert words in str(error)
    assert "Nothing of it was kept" in str(error)
    assert len(asked) == times
    assert not list(tmp_path.iterdir())


async def test_nothing_at_all_is_no_package(sites: Sites, tmp_path: Path) -> None:
    handle, _ = chunked(b"")
    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, "", None)
    error = await refused(sites.source(url).download(package, tmp_path / NAME, ignore))
    assert "the site sent nothing" in str(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "data",
    [DATA[:-1] + b"\x00", DATA + b"\x00", b"PK" + DATA[2:]],
    ids=["changed", "longer", "no-msi"],
)
async def test_what_is_refused_replaces_nothing(sites: Sites, tmp_path: Path, data: bytes) -> None:
    """The package that lies there was compared with what was published then."""
    (tmp_path / NAME).write_bytes(DATA)
    handle, _ = chunked(data)
    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, SHA256, len(DATA))
    await refused(sites.source(url).download(package, tmp_path / NAME, ignore))
    assert (tmp_path / NAME).read_bytes() == DATA
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("sha256", [SHA256.upper(), SHA256])
async def test_a_hash_is_compared_whole_whatever_its_letters(
    sites: Sites, tmp_path: Path, sha256: str
) -> None:
    handle, _ = answering(msi())
    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, sha256, None)
    fetched = await sites.source(url).download(package, tmp_path / NAME, ignore)
    assert fetched.sha256 == SHA256
    wrong = "0" if sha256[-1] != "0" else "1"
    almost = Package(VERSION, NAME, url, sha256[:-1] + wrong, None)
    error = await refused(sites.source(url).download(almost, tmp_path / "other.msi", ignore))
    assert str(error) == (
        f"{NAME} is not what was published: its SHA-256 is {SHA256}, published is "
        f"{sha256[:-1] + wrong}. It was changed at the site or on the way. Nothing of it was kept. "
        "Download it by hand and compare; if the site is wrong, tell whoever runs it."
    )


async def test_what_is_no_msi_is_told_though_nothing_was_published(
    sites: Sites, tmp_path: Path
) -> None:
    handle, _ = answering(msi(b"PK\x03\x04 and so on"))
    source = sites.source(await sites.serve(handle))
    package = await source.locate(VERSION)
    error = await refused(source.download(package, tmp_path / NAME, ignore))
    assert "is no MSI: it begins with b'PK" in str(error)
    assert not list(tmp_path.iterdir())


async def test_a_sign_in_page_is_recognised_everywhere(sites: Sites, tmp_path: Path) -> None:
    handle, asked = answering(page)
    url = await source_url(sites, handle)
    source = sites.source(url.rpartition("/")[0])
    package = Package(VERSION, NAME, url, "", None)
    for call in (
        source.releases(),
        source.locate(VERSION),
        source.download(package, tmp_path / NAME, ignore),
    ):
        assert "answers with a web page in place of" in str(await refused(call))
    assert len(asked) == 3, "asking again would not help"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [403, 404])
async def test_what_is_not_there_names_address_and_version(sites: Sites, code: int) -> None:
    handle, asked = answering(status(code))
    error = await refused(sites.source(await sites.serve(handle)).locate("2025.9.1"))
    assert "/Octopus.2025.9.1-x64.msi" in str(error)
    assert len(asked) == 1


@pytest.mark.parametrize("version", ["latest", "2025.4", "../../etc", "2025.4.1-beta", ""])
async def test_only_versions_get_into_an_address(sites: Sites, version: str) -> None:
    handle, asked = answering(msi())
    await refused(sites.source(await sites.serve(handle)).locate(version))
    assert asked == []


async def test_redirects_are_followed(sites: Sites, tmp_path: Path) -> None:
    behind, _ = answering(msi(**{"x-amz-meta-sha256": SHA256}))
    there = await sites.serve(behind)
    front, _ = answering(status(302, Location=f"{there}/elsewhere?key=secret"))
    source = sites.source(await sites.serve(front))
    located = await source.locate(VERSION)
    assert located.sha256 == SHA256
    assert there not in located.url, "an address that is only good for a while is not passed on"
    await source.download(located, tmp_path / NAME, ignore)
    assert (tmp_path / NAME).read_bytes() == DATA


async def test_an_address_behind_a_redirect_is_shown_without_its_key(sites: Sites) -> None:
    behind, _ = answering(status(410))
    there = await sites.serve(behind)
    front, _ = answering(status(302, Location=f"{there}/elsewhere?key=secret"))
    error = await refused(sites.source(await sites.serve(front)).locate(VERSION))
    assert f"{there}/elsewhere" in str(error)
    assert "secret" not in str(error)


async def test_redirects_in_circles_and_to_nowhere(sites: Sites) -> None:
    circle, _ = answering(status(302, Location="/feed"))
    error = await refused(sites.source(await sites.serve(circle)).releases())
    assert "redirects in circles" in str(error)
    nowhere, _ = answering(status(302, Location="ftp://example.com/feed"))
    error = await refused(sites.source(await sites.serve(nowhere)).releases())
    assert "no web address" in str(error)


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    issued = issue(["127.0.0.1"], folder)
    (folder / "ca.pem").write_bytes(issued.authority_pem)
    return issued.context, folder / "ca.pem"


async def test_https_is_never_left_for_http(
    sites: Sites, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    context, ca = certificate
    behind, asked = answering(msi())
    there = await sites.serve(behind)
    front, _ = answering(status(302, Location=f"{there}/elsewhere"))
    error = await refused(sites.source(await sites.serve(front, context), ca).locate(VERSION))
    assert "not encrypted" in str(error)
    assert asked == []


async def test_a_stranger_is_not_trusted_and_not_asked_again(
    sites: Sites, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    handle, asked = answering(msi())
    source = sites.source(await sites.serve(handle, certificate[0]))
    error = await refused(source.locate(VERSION))
    assert "the certificate of 127.0.0.1 is not trusted" in str(error)
    assert "[sources.official] ca" in str(error)
    assert "tried" not in str(error)
    assert asked == []


async def test_a_file_of_authorities_that_is_none(sites: Sites, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing", encoding="ascii")
    for ca, words in ((empty, "holds no certificate"), (tmp_path / "no.pem", "No such file")):
        error = await refused(sites.source("https://127.0.0.1:9", ca).releases())
        assert words in str(error)
        assert str(ca) in str(error)


async def test_nobody_there(sites: Sites, unused_tcp_port: int) -> None:
    error = await refused(sites.source(f"http://127.0.0.1:{unused_tcp_port}").releases())
    assert "127.0.0.1 cannot be reached" in str(error)
    assert "HTTPS_PROXY" in str(error)


async def test_the_proxy_of_the_environment_is_asked_and_may_refuse(
    sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, asked = answering(status(407))
    monkeypatch.setenv("HTTPS_PROXY", await sites.serve(handle))
    error = await refused(sites.source("https://octopus.example.invalid").releases())
    assert [line.partition(" ")[0] for line in asked] == ["CONNECT"]
    assert "the proxy does not let us to octopus.example.invalid" in str(error)


async def test_an_abandoned_part_is_removed_and_one_in_use_is_not(
    sites: Sites, tmp_path: Path
) -> None:
    abandoned, in_use = tmp_path / f"{NAME}.0000.part", tmp_path / f"{NAME}.1111.part"
    for file in (abandoned, in_use):
        file.write_bytes(b"part")
    os.utime(abandoned, (1_000_000_000, 1_000_000_000))
    handle, _ = answering(msi())
    source = sites.source(await sites.serve(handle))
    await source.download(await source.locate(VERSION), tmp_path / NAME, ignore)
    assert sorted(file.name for file in tmp_path.iterdir()) == [NAME, in_use.name]


async def test_cancelling_in_the_middle_leaves_nothing(sites: Sites, tmp_path: Path) -> None:
    halfway = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(DATA)
        await response.prepare(request)
        await response.write(DATA[:600_000])
        await asyncio.Event().wait()
        return response

    url = await source_url(sites, handle)
    package = Package(VERSION, NAME, url, SHA256, len(DATA))
    download = asyncio.create_task(
        sites.source(url).download(
            package, tmp_path / NAME, lambda done, total: halfway.set() if done else None
        )
    )
    async with asyncio.timeout(10):
        await halfway.wait()
        assert len(list(tmp_path.glob("*.part"))) == 1
        download.cancel()
        with pytest.raises(asyncio.CancelledError):
            await download
    assert not list(tmp_path.iterdir())
