"""The vendor's download site: version feed, packages and their published hashes.

Facts: the feed is a JSON array of objects with ``Version``; the name of the date's property and
the order are not documented (``domain.md`` 1.5). A HEAD of a package answers its SHA-256 in
``x-amz-meta-sha256``, apart from the file itself.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import stamina

from octotui.api import Package, Progress, Release
from octotui.api.errors import SourceError
from octotui_downloads.provider import OfficialSettings
from octotui_downloads.receiving import Receiving

#: Early access and branch builds have more than three numbers or letters: nothing for a server.
_RELEASED = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATE_NAMES = ("Released", "ReleaseDate", "Published", "PublishedOn", "Date")
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_TRIES = 4


class OfficialSource:
    """``octotui.api.Source`` over HTTPS. Redirects are followed, but never down to http."""

    def __init__(
        self, settings: OfficialSettings, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._opened: httpx.AsyncClient | None = None

    async def releases(self) -> Sequence[Release]:
        answer = await self._request("GET", self._settings.feed_url)
        try:
            listed = answer.json()
        except ValueError:
            listed = None
        if not isinstance(listed, list):
            raise SourceError(
                f"{self._settings.feed_url} answers with something that is no list of versions",
                meaning="Often that is the page of a proxy that wants something first",
                next_step="Open the address in a browser on this machine",
            )
        return [release for entry in listed if (release := _release(entry))]

    async def locate(self, version: str) -> Package:
        url = self._settings.package_url.replace("{version}", version)
        answer = await self._request("HEAD", url)
        size = answer.headers.get("Content-Length", "")
        sha256 = answer.headers.get("x-amz-meta-sha256", "").strip().lower()
        return Package(
            version=version,
            file_name=f"Octopus.{version}-x64.msi",
            url=url,
            sha256=sha256 if _SHA256.fullmatch(sha256) else "",
            size=int(size) if size.isdigit() else None,
        )

    async def download(self, package: Package, to: Path, progress: Progress) -> Package:
        async for attempt in stamina.retry_context(on=_broken, attempts=_TRIES, timeout=None):
            with attempt:
                async with Receiving(package, to, progress) as receiving:
                    return await self._receive(package, receiving)
        raise AssertionError("unreachable")

    async def close(self) -> None:
        if self._opened:
            await self._opened.aclose()

    async def _receive(self, package: Package, receiving: Receiving) -> Package:
        identity = {"Accept-Encoding": "identity"}  # the bytes that were hashed
        try:
            async with self._client().stream("GET", package.url, headers=identity) as answer:
                _check(answer, package.url)
                length = answer.headers.get("Content-Length", "")
                total = int(length) if length.isdigit() else package.size
                async for chunk in answer.aiter_raw():
                    await receiving.write(chunk, total)
        except httpx.HTTPError as error:
            raise _unreachable(package.url, error) from error
        return await receiving.finish()

    async def _request(self, method: str, url: str) -> httpx.Response:
        async for attempt in stamina.retry_context(on=_broken, attempts=_TRIES, timeout=None):
            with attempt:
                try:
                    answer = await self._client().request(method, url)
                except httpx.HTTPError as error:
                    raise _unreachable(url, error) from error
                _check(answer, url)
                return answer
        raise AssertionError("unreachable")

    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            self._opened = httpx.AsyncClient(
                verify=_trust(self._settings.ca),
                timeout=_TIMEOUT,
                follow_redirects=True,
                transport=self._transport,
                event_hooks={"response": [_never_down_to_http]},
            )
        return self._opened


class _Broken(SourceError):
    """The connection failed or the site is overloaded: trying again is harmless and may help."""


def _broken(error: Exception) -> bool:
    return isinstance(error, _Broken)


def _release(entry: Any) -> Release | None:
    if not isinstance(entry, Mapping):
        return None
    version = str(entry.get("Version", "")).strip()
    if not _RELEASED.fullmatch(version):
        return None
    dates = (str(entry[name]) for name in _DATE_NAMES if entry.get(name))
    return Release(version, next(dates, ""))


def _trust(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise SourceError(
            f"the authorities' file {ca} cannot be used: {error.strerror or 'no certificate'}",
            next_step="Correct ca in [sources.official]",
        ) from None


async def _never_down_to_http(answer: httpx.Response) -> None:
    target = answer.headers.get("Location", "")
    if answer.is_redirect and target.startswith("http://"):
        raise SourceError(
            f"{answer.request.url} leads on to {target}, which is not protected",
            left="Nothing was fetched from there",
            next_step="Find out who answers in the site's place",
        )


def _check(answer: httpx.Response, url: str) -> None:
    if answer.status_code == 404:
        raise SourceError(
            f"{url} does not exist",
            next_step="Look for the version at https://octopus.com/downloads/previous",
        )
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise _Broken(f"{url} answers HTTP {answer.status_code}", next_step="Try again later")
    if answer.status_code != 200:
        raise SourceError(
            f"{url} answers HTTP {answer.status_code}",
            next_step="Open the address in a browser on this machine",
        )


def _unreachable(url: str, error: httpx.HTTPError) -> SourceError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SourceError(
            f"the certificate of {url} is not trusted here",
            left="Nothing was fetched",
            next_step="Name your proxy's or mirror's authority as ca in [sources.official]",
        )
    return _Broken(
        f"{url} cannot be fetched: {type(error).__name__}: {error}".rstrip(": "),
        left="Nothing was changed",
        next_step="Make sure that this machine reaches the site, by its proxy if there is one",
    )
