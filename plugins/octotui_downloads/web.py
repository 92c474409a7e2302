"""HTTP as a source needs it: trust, proxies, redirects, errors in sentences."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from octotui.api.errors import SourceError
from octotui_downloads.failures import downgraded, of_connection, of_status

#: Limits of one wait, in seconds; a whole download has none.
TIMEOUT = httpx.Timeout(30.0, connect=10.0)

_HEADERS = {
    # What is hashed must be the bytes of the file, not a compression of them.
    "Accept-Encoding": "identity",
    "User-Agent": "octotui",
}


class Web:
    """Requests that follow redirects, though never from https to http.

    Trusts the operating system's authorities, or those of the file ``ca`` alone. Proxies are those
    of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
    """

    def __init__(self, ca: Path | None) -> None:
        self._ca = ca
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def open(self, method: str, url: str) -> AsyncIterator[httpx.Response]:
        """An answer 200 whose body is still to be read. Raises SourceError, in the block too."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=_trust(self._ca),
                timeout=TIMEOUT,
                headers=_HEADERS,
                follow_redirects=True,
                event_hooks={"response": [_refuse_downgrade]},
            )
        try:
            async with self._client.stream(method, url) as response:
                if response.status_code != httpx.codes.OK:
                    raise of_status(response)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise of_connection(error, url) from None

    async def close(self) -> None:
        """Gives up the connections. May be called twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def content_length(response: httpx.Response) -> int | None:
    """The size of the body in bytes, where the answer tells it."""
    told = response.headers.get("Content-Length", "")
    return int(told) if told.isascii() and told.isdigit() and int(told) > 0 else None


def is_web_page(response: httpx.Response) -> bool:
    """Whether the answer says that it is HTML."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def _trust(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise SourceError(
            f"{ca} holds no certificate",
            next_step="[sources.official] ca must be a PEM file of authorities",
        ) from None
    except OSError as error:
        raise SourceError(
            f"the authorities' file {ca} cannot be read: {error.strerror}",
            next_step="Correct [sources.official] ca",
        ) from None


async def _refuse_downgrade(response: httpx.Response) -> None:
    if response.has_redirect_location and response.request.url.scheme == "https":
        target = response.request.url.join(response.headers["Location"])
        if target.scheme != "https":
            raise downgraded(response.request.url, target)
