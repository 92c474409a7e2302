"""Looking at a page as a user's browser would: the seed of a smoke test."""

from __future__ import annotations

import asyncio
import ssl

import httpx

from octotui.octopus.connection import TIMEOUT
from octotui.octopus.failures import NOT_READY, NobodyAnswers, StillStarting, of_connection


class Visitor:
    """Opens pages without the API key. Follows redirects, as a browser does."""

    def __init__(
        self, verify: ssl.SSLContext | bool, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self._client = httpx.AsyncClient(verify=verify, transport=transport, timeout=TIMEOUT)

    async def look(self, url: str, expect: int, timeout: float) -> str:
        """What is wrong with the page; empty where its status is ``expect``.

        A load balancer takes a moment to send users to a node again, so "nobody serves" counts only
        when it is still so after ``timeout`` seconds.
        """
        problem = "no answer"
        try:
            async with asyncio.timeout(timeout):
                while True:
                    problem, pause = await self._once(url, expect)
                    if not pause:
                        return problem
                    await asyncio.sleep(pause)
        except TimeoutError:
            return f"{problem}, for {timeout:g} s"

    async def close(self) -> None:
        await self._client.aclose()

    async def _once(self, url: str, expect: int) -> tuple[str, float]:
        """What is wrong, and after how many seconds looking again may help (0: not at all)."""
        follow = not 300 <= expect < 400
        try:
            async with self._client.stream("GET", url, follow_redirects=follow) as response:
                status = response.status_code
        except httpx.TransportError as error:
            failure = of_connection(error, "GET", httpx.URL(url))
            return failure.what, failure.pause if isinstance(failure, NobodyAnswers) else 0.0
        except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
            return f"it cannot be opened: {error}", 0.0
        if status == expect:
            return "", 0.0
        wrong = f"it answers HTTP {status}, not {expect}"
        return wrong, StillStarting.pause if status in NOT_READY else 0.0
