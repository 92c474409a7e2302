"""Octopus Server's own system report, from whichever address of the cluster answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from octotui.api.errors import OctotuiError, ServerError
from octotui.octopus import HttpOctopusServer
from octotui.plugins import Plugins
from octotui.profile import ProfileFaults, load_profile
from octotui.report.bundle.known import Known, may_be_asked

if TYPE_CHECKING:
    from pydantic import SecretStr

#: Whether somebody serves is found out within this, in seconds: of one address, and of all.
_REACH, _REACH_ALL = 5.0, 15.0

#: The report has to be here within this, in seconds.
_DOWNLOAD = 90.0

#: A larger report is not taken, in bytes.
_LARGEST = 256 * 1024 * 1024


def fetch_system_report(known: Known, to: BinaryIO, *, may_ask: bool) -> str:
    """Writes the report's zip and returns the address that it is from.

    Not masked yet. Raises OctotuiError where nobody gives it: in an outage nobody serves.
    """
    try:
        profile = load_profile(known.path, Plugins.load())
    except ProfileFaults as faults:
        raise OctotuiError(f"the profile cannot be used: {faults.faults[0]}") from None
    except RecursionError:
        raise OctotuiError("the profile cannot be used: it is nested too deeply") from None
    reference = profile.octopus.api_key
    if not may_be_asked(reference, may_ask=may_ask):
        raise OctotuiError(
            "looking up the API key may ask a person",
            next_step="Run 'octotui bundle' in a terminal",
        )
    api_key = known.secrets.resolve(reference)
    urls = dict.fromkeys([profile.octopus.url, *(n.url for n in profile.nodes if n.url)])
    return asyncio.run(_first_of(list(urls), api_key, profile.octopus.ca, to))


async def _first_of(urls: Sequence[str], api_key: SecretStr, ca: Path | None, to: BinaryIO) -> str:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    said: list[str] = []
    for url in urls:
        if loop.time() - begun > _REACH_ALL:
            said.append(f"after {_REACH_ALL:.0f} s no more addresses were asked")
            break
        server = HttpOctopusServer(url, api_key, ca=ca, patience=0)
        try:
            async with asyncio.timeout(_REACH):
                serving = await server.serving()
            if serving.serving:
                async with asyncio.timeout(_DOWNLOAD):
                    await server.system_report(to, _LARGEST)
                return url
            said.append(_of(url, serving.reason))
        except TimeoutError:
            said.append(_of(url, "no answer in time"))
        except OctotuiError as error:
            said.append(_of(url, error.what))
        finally:
            await server.close()
    raise ServerError("; ".join(said))


def _of(url: str, what: str) -> str:
    return what if url in what else f"{url}: {what}"
