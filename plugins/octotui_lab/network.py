"""How a simulated host reaches other hosts: real HTTP, or whatever a test puts there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

#: Bytes read at a time from a download.
_CHUNK = 256 * 1024
#: How long a host waits for an answer of its own server, in seconds.
_GET_TIMEOUT = 30.0


class Network(Protocol):
    """What an agent needs of the network."""

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        """Status and body; status 0 when nothing answers. Certificates are not checked."""
        ...

    async def download(self, url: str, to: Path, progress: Callable[[int], None]) -> None:
        """Streams a file. Raises OSError with a sentence where it cannot be had."""
        ...


class LoopbackNetwork:
    """Real HTTP. Certificates are the lab's own, which its hosts trust without looking."""

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        import aiohttp

        limit = aiohttp.ClientTimeout(total=_GET_TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.get(url, headers=headers, ssl=False, allow_redirects=False) as response,
            ):
                return response.status, await response.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, ""

    async def download(self, url: str, to: Path, progress: Callable[[int], None]) -> None:
        import aiohttp

        received, expected = 0, None
        try:
            async with aiohttp.ClientSession() as session, session.get(url, ssl=False) as response:
                if response.status != 200:
                    raise OSError(
                        f"The remote server returned an error: ({response.status}) "
                        f"{response.reason}."
                    )
                expected = response.content_length
                with to.open("wb") as file:
                    async for chunk in response.content.iter_chunked(_CHUNK):
                        file.write(chunk)
                        received += len(chunk)
                        progress(received)
        except aiohttp.ClientPayloadError as error:
            raise OSError(f"the connection ended after {received} of {expected} bytes") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise OSError(f"Unable to connect to the remote server: {error}") from error
