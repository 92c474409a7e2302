"""What went wrong with a site, in sentences."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx

from octotui.api.errors import SourceError

_BEHIND_A_PROXY = (
    "If this machine needs a proxy, name it in HTTPS_PROXY; hosts without one go into NO_PROXY"
)


class Interrupted(SourceError):
    """May well succeed when it is tried again: a connection that failed, a server that is busy."""


def of_connection(error: httpx.HTTPError | httpx.InvalidURL, url: str) -> SourceError:
    """The failure behind an error of httpx's."""
    host = _host(url)
    if isinstance(error, httpx.TooManyRedirects):
        return SourceError(f"{url} redirects in circles")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return SourceError(f"{url} redirects to something that is no web address")
    if isinstance(error, httpx.ProxyError):
        return SourceError(f"the proxy does not let us to {host}: {error}", meaning=_BEHIND_A_PROXY)
    if untrusted := _untrusted(error):
        return SourceError(
            f"the certificate of {host} is not trusted: {untrusted}",
            meaning="Either somebody is in between, or its authority is unknown here",
            next_step="Name a PEM file of that authority in [sources.official] ca",
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        reason = str(error) or "no answer"
        return Interrupted(f"{host} cannot be reached: {reason}", next_step=_BEHIND_A_PROXY)
    if isinstance(error, httpx.TimeoutException):
        return Interrupted(f"{host} stopped answering")
    return Interrupted(f"the connection to {host} broke: {error}")


def of_status(response: httpx.Response) -> SourceError:
    """The failure behind an answer that is not 200."""
    status, url = response.status_code, _shown(response.request.url)
    answer = f"{url} answers {status} {response.reason_phrase}".rstrip()
    if status in (403, 404, 410):
        # Public storage answers 403 for what is not there where it may not be listed.
        return SourceError(
            f"there is nothing at {url} ({status})",
            next_step="Look for the version at https://octopus.com/downloads/previous, and at the "
            "addresses in [sources.official]",
        )
    if status == 407:
        return SourceError(answer, meaning="The proxy wants a user and password")
    if status in (408, 429) or status >= 500:
        return Interrupted(answer)
    return SourceError(answer, next_step="Correct the addresses in [sources.official]")


def downgraded(url: httpx.URL, target: httpx.URL) -> SourceError:
    """A redirect from https to http, which is not followed."""
    return SourceError(
        f"{_shown(url)} redirects to {_shown(target)}, which is not encrypted",
        meaning="Anybody on the way could change what arrives, so it was not followed",
    )


def web_page(url: str, wanted: str) -> SourceError:
    """An HTML page in place of what was wanted."""
    return SourceError(
        f"{url} answers with a web page in place of {wanted}",
        meaning="A proxy or a sign-in page of the network probably answered for the site",
        next_step="Open that address in a browser on this machine",
    )


def _shown(url: httpx.URL) -> str:
    """Without its query: sites redirect to addresses whose query is a key."""
    return str(url.copy_with(query=None, fragment=None))


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return url


def _untrusted(error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message or str(cause)
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
