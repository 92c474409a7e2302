"""What went wrong with a call, as an error for a person and for the runner's decision."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator

import httpx

from octotui.api.errors import ApiKeyRefused, ServerError, ServerNotReady

#: Nobody serves there now (``domain.md`` 3.1). 504 is a proxy's word for the same.
NOT_READY = frozenset({418, 502, 503, 504})

_TITLE = re.compile(r"<title[^>]*>\s*(.*?)\s*</title", re.IGNORECASE | re.DOTALL)
_DOWN = "It is stopped, still booting, or no node behind the load balancer is up"


class NobodyAnswers(ServerNotReady):
    """No connection, or one that broke."""

    pause = 1.0


class StillStarting(ServerNotReady):
    """An answer of somebody who is not ready to serve."""

    pause = 0.5


def of_connection(
    error: httpx.TransportError, method: str, url: httpx.URL, *, known: bool = False
) -> ServerError:
    """The failure to get an answer at all. ``known``: this host has answered before."""
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ServerError(
                f"the certificate of {url.host} is not trusted: {cause.verify_message}",
                meaning="Nothing was sent to it",
                next_step="Make the operating system trust its authority, or name the authority's "
                "file in the profile",
            )
        # Windows and macOS know no name while their own network is down: one that was right before
        # is waited for.
        lasting = isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN
        if lasting and not known:
            return ServerError(
                f"the name {url.host} is not known",
                next_step="Look for a typing error in the profile, or at the DNS of this machine",
            )
    if isinstance(error, httpx.UnsupportedProtocol):
        return ServerError(f"{url} cannot be asked: {error}")
    # While nobody serves, a proxy says so with a 5xx of its own; a 4xx is about us.
    if isinstance(error, httpx.ProxyError) and str(error).startswith("4"):
        return ServerError(
            f"the proxy does not let us to {url.host}: {error}",
            next_step="Proxies are those of HTTPS_PROXY and HTTP_PROXY; hosts without one go into "
            "NO_PROXY",
        )
    failure = NobodyAnswers(f"nobody answers at {url}: {_why(error, causes)}", meaning=_DOWN)
    # Sent, and no answer: a change may have been made.
    lost = isinstance(error, httpx.ReadError | httpx.ReadTimeout | httpx.RemoteProtocolError)
    failure.outcome_known = method == "GET" or not lost
    return failure


def of_answer(response: httpx.Response) -> ServerError:
    """The failure that an answer with an error status tells of."""
    request, status = response.request, response.status_code
    if status in NOT_READY:
        starting = StillStarting(f"{request.url} answers HTTP {status}", meaning=_DOWN)
        # A balancer that passed it on and heard nothing back: a change may have been made.
        starting.outcome_known = request.method == "GET" or status not in {502, 504}
        return starting
    words = error_words(response)
    if status == 401:
        return ApiKeyRefused(
            f"{request.url} does not accept the API key (HTTP 401)",
            meaning=words,
            next_step="Give it the key of a user with the permission AdministerSystem",
        )
    if status == 403:
        return ApiKeyRefused(
            f"the API key's user may not {request.method} {request.url.path} (HTTP 403)",
            meaning=words,
            next_step="The user needs the permission AdministerSystem: without it octotui would "
            "lock itself out when it turns maintenance mode on",
        )
    said = f": {words}" if words else ""
    return ServerError(f"{request.method} {request.url} failed with HTTP {status}{said}")


def is_page(response: httpx.Response) -> bool:
    """Whether the answer is a page for a browser: a login form, a proxy's error."""
    kind = response.headers.get("Content-Type", "")
    return "html" in kind or response.content.lstrip()[:1] == b"<"


def of_page(response: httpx.Response) -> ServerError:
    """The failure that a page in place of the API's answer is."""
    title = page_title(response)
    named = f' with the title "{title}"' if title else ""
    return ServerError(
        f"{response.request.url} answers with a web page{named}, not with Octopus' API",
        meaning="A login page, a proxy or another program stands there",
        next_step="Write the address of Octopus Server itself into the profile, with its virtual "
        "directory if it has one",
    )


def page_title(response: httpx.Response) -> str:
    """The title of a page, on one line and not too long."""
    found = _TITLE.search(response.text[:20_000])
    return " ".join(found[1].split())[:80] if found else ""


def error_words(response: httpx.Response) -> str:
    """What an error answer says: Octopus' ErrorMessage and Errors, or a page's title."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return page_title(response)
    if not isinstance(body, dict):
        return ""
    message = str(body.get("ErrorMessage") or "").strip()
    listed = body.get("Errors")
    errors = [str(line).strip() for line in listed] if isinstance(listed, list) else []
    return " ".join([message, *(line for line in errors if line not in message)]).strip()


def _why(error: httpx.TransportError, causes: tuple[BaseException, ...]) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, ConnectionError):
            return "the connection broke"
        if isinstance(cause, ssl.SSLError):
            return f"no TLS there ({cause.reason or 'handshake broken off'})"
    return str(error) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [c for c in (cause.__cause__, cause.__context__) if c is not None]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
