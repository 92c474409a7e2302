"""The source suite for the official site, over http and over https with an authority of its own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
import stamina
from aiohttp import test_utils

from octotui.testing.source import SourceSuite
from octotui_downloads.official import OfficialSource
from octotui_downloads.settings import OfficialSettings
from octotui_lab.catalogue import load_catalogue
from octotui_lab.certificates import issue
from octotui_lab.download_site import FEED_PATH, PACKAGE_PATH, make_site

PACKAGES = Path(str(resources.files("octotui_lab") / "packages"))
PACKAGE = load_catalogue().packages[-1]


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4):
        yield


class OfficialSuite(SourceSuite):
    @pytest.fixture
    def tls(self) -> tuple[ssl.SSLContext | None, Path | None]:
        return None, None

    @pytest.fixture
    async def serve(
        self, tls: tuple[ssl.SSLContext | None, Path | None]
    ) -> AsyncIterator[Callable[..., Awaitable[OfficialSource]]]:
        context, ca = tls
        servers, sources = [], []

        async def serve(*faults: str, closed: bool = False) -> OfficialSource:
            server = test_utils.TestServer(make_site(PACKAGES, lambda: faults))
            await server.start_server(ssl=context)
            base = f"{server.scheme}://127.0.0.1:{server.port}"
            servers.append(server)
            if closed:
                await server.close()
            settings = OfficialSettings(
                feed_url=base + FEED_PATH, package_url=base + PACKAGE_PATH, ca=ca
            )
            sources.append(OfficialSource(settings))
            return sources[-1]

        yield serve
        for source in sources:
            await source.close()
        for server in servers:
            await server.close()

    @pytest.fixture
    async def source(self, serve: Callable[..., Awaitable[OfficialSource]]) -> OfficialSource:
        return await serve()

    @pytest.fixture
    def version(self) -> str:
        return PACKAGE.version

    @pytest.fixture
    def content(self) -> bytes:
        return (PACKAGES / PACKAGE.file_name).read_bytes()

    @pytest.fixture
    async def tampered(self, serve: Callable[..., Awaitable[OfficialSource]]) -> OfficialSource:
        return await serve("tampered")

    @pytest.fixture
    async def truncated(self, serve: Callable[..., Awaitable[OfficialSource]]) -> OfficialSource:
        return await serve("truncated")

    @pytest.fixture
    async def unreachable(self, serve: Callable[..., Awaitable[OfficialSource]]) -> OfficialSource:
        return await serve(closed=True)


class TestOverHttp(OfficialSuite):
    pass


class TestOverHttps(OfficialSuite):
    @pytest.fixture
    def tls(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
        folder = tmp_path_factory.mktemp("certificates")
        certificate = issue(["127.0.0.1"], folder)
        ca = folder / "ca.pem"
        ca.write_bytes(certificate.authority_pem)
        return certificate.context, ca
