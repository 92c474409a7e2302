"""Fetching one package: streamed, hashed on the way, and kept only if it is what was published."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx

from octotui.api import Package, Progress
from octotui.api.errors import SourceError
from octotui_downloads.failures import Interrupted, web_page
from octotui_downloads.part_file import PartFile
from octotui_downloads.web import Web, content_length, is_web_page

#: What every MSI begins with, as every OLE compound file.
MSI_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")

#: Bytes hashed and written at a time, in a thread: less costs switches, more makes the progress of
#: a slow connection jump.
BLOCK = 256 * 1024

_DISCARDED = "Nothing of it was kept"
_AT_THE_SITE = "Download it by hand and compare; if the site is wrong, tell whoever runs it"


async def fetch(web: Web, package: Package, to: Path, progress: Progress) -> Package:
    """One attempt. Returns the package with size and hash of what arrived.

    Raises Interrupted where another attempt may succeed, else SourceError.
    """
    try:
        part = PartFile(to)
    except OSError as error:
        raise _not_written(to, error) from None
    answer: httpx.Response | None = None
    try:
        async with web.open("GET", package.url) as answer:
            total = _expected_size(package, answer)
            progress(0, total)
            await _receive(answer, package, part, total, progress)
        _compare(package, part)
        part.keep()
    except Interrupted as error:
        raise Interrupted(
            f"{package.file_name} did not arrive{_so_far(answer, package)}: {error.what}",
            meaning=error.meaning,
            left=_DISCARDED,
            next_step=error.next_step,
        ) from None
    except OSError as error:
        raise _not_written(to, error) from None
    finally:
        part.discard()
    return replace(package, sha256=part.sha256, size=part.size)


async def _receive(
    response: httpx.Response,
    package: Package,
    part: PartFile,
    total: int | None,
    progress: Progress,
) -> None:
    async for block in response.aiter_raw(BLOCK):
        if part.size == 0 and not block.startswith(MSI_MAGIC):
            raise SourceError(
                f"what {package.url} answers is no MSI: it begins with {block[:16]!r}",
                meaning="A proxy probably answered for the site, or the address is wrong",
                left=_DISCARDED,
                next_step="Open that address in a browser on this machine",
            )
        await asyncio.to_thread(part.write, block)
        progress(part.size, total)


def _expected_size(package: Package, response: httpx.Response) -> int | None:
    if is_web_page(response):
        raise web_page(package.url, "a package")
    told = content_length(response)
    if package.size is not None and told is not None and told != package.size:
        raise _other_size(package, told)
    return package.size or told


def _compare(package: Package, part: PartFile) -> None:
    if package.size is not None and part.size < package.size:
        raise Interrupted("the site ended the transfer early")
    if package.size is not None and part.size > package.size:
        raise _other_size(package, part.size)
    if part.size == 0:
        raise Interrupted("the site sent nothing")
    if package.sha256 and part.sha256 != package.sha256.lower():
        raise SourceError(
            f"{package.file_name} is not what was published: its SHA-256 is {part.sha256}, "
            f"published is {package.sha256}",
            meaning="It was changed at the site or on the way",
            left=_DISCARDED,
            next_step=_AT_THE_SITE,
        )


def _other_size(package: Package, size: int) -> SourceError:
    return SourceError(
        f"{package.file_name} is not what was published: it has {size} bytes, "
        f"published are {package.size}",
        meaning="It was changed at the site or on the way, or replaced meanwhile",
        left=_DISCARDED,
        next_step=_AT_THE_SITE,
    )


def _not_written(to: Path, error: OSError) -> SourceError:
    return SourceError(
        f"{to} cannot be written: {error.strerror or error}",
        left=_DISCARDED,
        next_step="Make room there, or see to the folder's permissions",
    )


def _so_far(answer: httpx.Response | None, package: Package) -> str:
    if answer is None:
        return ""
    total = "" if package.size is None else f" of {package.size}"
    return f", only {answer.num_bytes_downloaded}{total} bytes of it"
