"""The vendor's download site, as the lab serves it: version feed and packages.

It behaves as ``domain.md`` 1.5 says of the real one: the feed is a JSON array with ``Version``, a
package's HEAD carries its hash as ``x-amz-meta-sha256``. The property of the feed that holds the
date is a guess, as it is for everybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

#: Where the real site has them: ``[sources.official] feed_url`` and ``package_url``.
FEED_PATH = "/download/upgrade/v3"
PACKAGE_PATH = "/octopus/Octopus.{version}-x64.msi"

#: The faults (of the scope ``download``) that this site knows how to have.
FAULTS = ("tampered", "truncated", "html-page", "resets")

HASH_HEADER = "x-amz-meta-sha256"

_MSI_TYPE = "application/x-msi"
_PORTAL = (
    "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
    "<body><h1>Sign in to use the network</h1></body></html>\n"
)


@dataclass(frozen=True, slots=True)
class _File:
    """A package in memory: the lab's are small, and faults need their bytes anyway."""

    data: bytes
    sha256: str

    @property
    def etag(self) -> str:
        return f'"{self.sha256[:32]}"'


def make_site(catalogue_folder: Path, faults: Callable[[], Collection[str]]) -> web.Application:
    """The site, with the packages that ``packages.json`` in the folder lists.

    ``faults`` is asked once for every GET of a package, so that it may count occasions, and answers
    those of ``FAULTS`` that this GET has. HEAD and the feed are never at fault: the hash that is
    published stays the true one.
    """
    listed = json.loads((catalogue_folder / "packages.json").read_text(encoding="utf-8"))
    files = {
        package["file_name"]: _read(catalogue_folder / package["file_name"])
        for package in listed["packages"]
    }
    entries = [
        {"Version": package["version"], "Released": f"{package['released']}T00:00:00+00:00"}
        for package in listed["packages"]
    ]

    async def feed(_: web.Request) -> web.Response:
        return web.json_response(entries)

    async def package(request: web.Request) -> web.StreamResponse:
        file = files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound(text="NoSuchKey")
        if request.method == hdrs.METH_HEAD:
            return _whole(file)
        return await _answer(request, file, faults())

    application = web.Application()
    application.router.add_get(FEED_PATH, feed)
    application.router.add_get("/octopus/{name}", package)
    return application


def _read(path: Path) -> _File:
    data = path.read_bytes()
    return _File(data, hashlib.sha256(data).hexdigest())


async def _answer(request: web.Request, file: _File, faults: Collection[str]) -> web.StreamResponse:
    if "html-page" in faults:
        return web.Response(text=_PORTAL, content_type="text/html")
    if "truncated" in faults or "resets" in faults:
        return await _break_off(request, file, reset="resets" in faults)
    if "tampered" in faults:
        file = _File(_with_another_byte(file.data), file.sha256)
    return _part(request, file)


def _headers(file: _File) -> dict[str, str]:
    return {hdrs.ETAG: file.etag, hdrs.ACCEPT_RANGES: "bytes", HASH_HEADER: file.sha256}


def _whole(file: _File) -> web.Response:
    return web.Response(body=file.data, content_type=_MSI_TYPE, headers=_headers(file))


def _part(request: web.Request, file: _File) -> web.Response:
    """What ``Range`` asks for, unless ``If-Range`` names another file than there is now."""
    size = len(file.data)
    if request.headers.get(hdrs.IF_RANGE, file.etag) != file.etag:
        return _whole(file)
    try:
        wanted = request.http_range
    except ValueError:
        return _whole(file)
    if wanted.start is None and wanted.stop is None:
        return _whole(file)
    start, stop, _ = wanted.indices(size)
    if start >= stop:
        return web.Response(status=416, headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
    return web.Response(
        status=206,
        body=file.data[start:stop],
        content_type=_MSI_TYPE,
        headers=_headers(file) | {hdrs.CONTENT_RANGE: f"bytes {start}-{stop - 1}/{size}"},
    )


def _with_another_byte(data: bytes) -> bytes:
    """The same size, still an MSI by its first bytes, and not what was signed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


async def _break_off(request: web.Request, file: _File, *, reset: bool) -> web.StreamResponse:
    """Promises the whole file, sends half of it and hangs up."""
    response = web.StreamResponse(headers=_headers(file))
    response.content_type = _MSI_TYPE
    response.content_length = len(file.data)
    await response.prepare(request)
    await response.write(file.data[: len(file.data) // 2])
    if request.transport is not None:
        if reset:
            request.transport.abort()
        else:
            request.transport.close()
    return response
