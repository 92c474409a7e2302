"""The source ``official`` (``domain.md`` 1.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from octotui.api import Package, Progress, Release
from octotui.api.errors import SourceError
from octotui_downloads.attempts import persistently
from octotui_downloads.failures import web_page
from octotui_downloads.feed import is_version, read_feed
from octotui_downloads.fetch import fetch
from octotui_downloads.settings import PLACEHOLDER, OfficialSettings
from octotui_downloads.web import Web, content_length, is_web_page

#: The vendor's storage publishes a package's hash as metadata of the object (``domain.md`` 1.5).
HASH_HEADER = "x-amz-meta-sha256"

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class OfficialSource:
    """Versions from the feed, packages from the package address. Raises SourceError."""

    def __init__(self, settings: OfficialSettings) -> None:
        self._settings = settings
        self._web = Web(settings.ca)

    async def releases(self) -> Sequence[Release]:
        """All released versions of the feed; early-access builds are left out."""
        url = self._settings.feed_url

        async def read() -> bytes:
            async with self._web.open("GET", url) as response:
                if is_web_page(response):
                    raise web_page(url, "the version feed")
                return await response.aread()

        return read_feed(await persistently(read), url)

    async def locate(self, version: str) -> Package:
        """Asks the site for size and hash, without fetching anything.

        ``sha256`` is empty where the site does not publish it.
        """
        if not is_version(version):
            raise SourceError(
                f"{version!r} is not a released version such as 2025.2.13071",
                next_step="Correct [upgrade] to, or --to",
            )
        url = self._settings.package_url.replace(PLACEHOLDER, version)

        async def ask() -> Package:
            async with self._web.open("HEAD", url) as response:
                if is_web_page(response):
                    raise web_page(url, "a package")
                published = response.headers.get(HASH_HEADER, "").strip()
                return Package(
                    version,
                    f"Octopus.{version}-x64.msi",
                    url,
                    published.lower() if _SHA256.fullmatch(published) else "",
                    content_length(response),
                )

        return await persistently(ask)

    async def download(self, package: Package, to: Path, progress: Progress) -> Package:
        """Streams the package to the file ``to``; see ``fetch``."""
        return await persistently(lambda: fetch(self._web, package, to, progress))

    async def close(self) -> None:
        """Gives up the connections. May be called twice."""
        await self._web.close()
