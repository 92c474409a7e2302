"""Calls to one host: the API key, patience with a server that is not ready, redirects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx

from octotui.api.errors import ApiKeyRefused, ServerError, ServerNotReady
from octotui.octopus.failures import (
    NobodyAnswers,
    StillStarting,
    of_answer,
    of_connection,
    of_page,
)
from octotui.octopus.links import same_origin

if TYPE_CHECKING:
    from pydantic import SecretStr

#: How long a call is repeated while nobody serves, in seconds: as long as Octopus' own client does.
PATIENCE = 60.0

#: Limits of one attempt, in seconds.
TIMEOUT = httpx.Timeout(30.0, connect=10.0)

#: An attempt as a whole, in seconds: an answer that only trickles keeps within every other limit.
_LONGEST = 120.0

_API_KEY_HEADER = "X-Octopus-ApiKey"
_MOST_REDIRECTS = 5


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """What is trusted: the operating system's authorities, or those of the file ``ca`` alone."""
    if ca is None:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ServerError(
            f"{ca} holds no certificate", next_step="It must be a PEM file of authorities"
        ) from None
    except OSError as error:
        raise ServerError(f"the authorities' file {ca} cannot be read: {error.strerror}") from None


def usable_key(api_key: SecretStr) -> SecretStr:
    """The key without the line end that files have. Raises ApiKeyRefused where it can be none.

    An HTTP library would put the whole key into its error.
    """
    text = api_key.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ApiKeyRefused(
            "the API key is empty or holds characters that no API key has",
            next_step="Look at what its reference in the profile leads to",
        )
    return type(api_key)(text)


class Connection:
    """One host's API. Only calls to that very scheme, host and port carry the key.

    ``patience`` is how long GET and PUT are repeated while the server is not ready, in seconds.
    Raises ServerNotReady, ApiKeyRefused and ServerError.
    """

    def __init__(
        self,
        api_key: SecretStr,
        verify: ssl.SSLContext | bool,
        transport: httpx.AsyncBaseTransport | None,
        patience: float = PATIENCE,
    ) -> None:
        self._api_key = usable_key(api_key)
        self._patience = patience
        self._answered = False
        self._client = httpx.AsyncClient(verify=verify, transport=transport, timeout=TIMEOUT)

    async def get(
        self, url: httpx.URL, *, accept: Collection[int] = (), patience: float | None = None
    ) -> httpx.Response:
        """Reads. Statuses in ``accept`` are answers, not errors."""
        return await self._patiently("GET", url, None, accept, patience)

    async def put(self, url: httpx.URL, document: Mapping[str, Any]) -> httpx.Response:
        """Writes a whole resource, which does no harm when repeated."""
        return await self._patiently("PUT", url, document, (), None)

    async def post(self, url: httpx.URL) -> httpx.Response:
        """Asks for an action, once."""
        return await self._follow("POST", url, None, ())

    async def download(self, url: httpx.URL, to: BinaryIO, most: int) -> None:
        """Reads a file, once, without holding it in memory. Redirects are not followed.

        Raises ServerError, also where it has more than ``most`` bytes; what was written until then
        is of no use.
        """
        headers = {_API_KEY_HEADER: self._api_key.get_secret_value(), "Accept": "application/zip"}
        try:
            async with self._client.stream("GET", url, headers=headers) as response:
                if not response.is_success or "html" in response.headers.get("Content-Type", ""):
                    await response.aread()
                    raise of_answer(response) if response.is_error else of_page(response)
                async for chunk in response.aiter_bytes():
                    most -= len(chunk)
                    if most < 0:
                        raise ServerError(f"{url} answers with more than is taken")
                    to.write(chunk)
                return
        except httpx.TransportError as error:
            failure = of_connection(error, "GET", url, known=self._answered)
        except httpx.DecodingError:
            failure = ServerError(f"{url} answers with a broken encoding")
        raise failure from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _patiently(
        self,
        method: str,
        url: httpx.URL,
        document: Mapping[str, Any] | None,
        accept: Collection[int],
        patience: float | None,
    ) -> httpx.Response:
        loop = asyncio.get_running_loop()
        limit = self._patience if patience is None else patience
        begun = loop.time()
        in_doubt = False
        while True:
            try:
                return await self._follow(method, url, document, accept)
            except ServerError as error:
                # An attempt that was sent and not answered may have had its effect; that a later
                # one had none says nothing of it.
                in_doubt = in_doubt or not error.outcome_known
                error.outcome_known = not in_doubt
                if not isinstance(error, NobodyAnswers | StillStarting):
                    raise
                if loop.time() - begun + error.pause > limit:
                    if not limit:
                        raise
                    lasting = ServerNotReady(
                        f"{error.what}, for {loop.time() - begun:.0f} s", meaning=error.meaning
                    )
                    lasting.outcome_known = not in_doubt
                    raise lasting from None
                await asyncio.sleep(error.pause)

    async def _follow(
        self,
        method: str,
        url: httpx.URL,
        document: Mapping[str, Any] | None,
        accept: Collection[int],
    ) -> httpx.Response:
        """One attempt, redirects within the host included.

        httpx itself would follow one to another host with our header still in the request.
        """
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._once(method, url, document)
            if response.is_success or response.status_code in accept:
                return response
            if not response.has_redirect_location:
                raise of_answer(response)
            target = url.join(response.headers["Location"])
            if not same_origin(target, url):
                raise ServerError(
                    f"{url} redirects to {target.scheme}://{target.netloc.decode()}",
                    meaning="The API key is not sent to another address than the profile's",
                    next_step="If that is where Octopus is, write it into the profile",
                )
            if method != "GET" and response.status_code not in {307, 308}:
                raise ServerError(
                    f"{method} {url} is redirected to {target}",
                    meaning="Nothing was changed",
                    next_step="Write that address into the profile",
                )
            url = target
        raise ServerError(f"{url} redirects in circles")

    async def _once(
        self, method: str, url: httpx.URL, document: Mapping[str, Any] | None
    ) -> httpx.Response:
        headers = {_API_KEY_HEADER: self._api_key.get_secret_value(), "Accept": "application/json"}
        try:
            async with asyncio.timeout(_LONGEST):
                response = await self._client.request(method, url, headers=headers, json=document)
            self._answered = True
            return response
        except TimeoutError:
            failure = of_connection(httpx.ReadTimeout("it trickled"), method, url)
        except httpx.TransportError as error:
            # Not chained: httpx's errors hold the request, and with it the key.
            failure = of_connection(error, method, url, known=self._answered)
        except httpx.DecodingError:
            failure = ServerError(f"{url} answers with a broken encoding")
        raise failure from None
