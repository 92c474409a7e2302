"""The lab's download site: version feed and packages, as the vendor's site serves them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection
from pathlib import Path

from aiohttp import web

#: Faults of the scope ``download`` that this site acts out.
TAMPERED, TRUNCATED = "tampered", "truncated"

_FILE = re.compile(r"Octopus\.[0-9.]+-x64\.msi")


def make_site(folder: Path, faults: Callable[[], Collection[str]]) -> web.Application:
    """Serves the packages of ``folder``, which ``packages.json`` lists.

    ``faults`` tells the names of the faults that are in force now. HEAD and GET, ranges, ETag; the
    hash that was published in ``x-amz-meta-sha256`` whatever the bytes have become.
    """
    listed = json.loads((folder / "packages.json").read_text(encoding="utf-8"))["packages"]
    hashes = {package["file_name"]: package["sha256"] for package in listed}

    async def feed(_: web.Request) -> web.Response:
        # Not sorted, and with builds that nobody should take: so is the real one, for all we know.
        versions = [{"Version": p["version"], "Released": p["released"]} for p in listed]
        return web.json_response([*reversed(versions), {"Version": "2026.1.1-eap.7"}])

    async def package(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if not _FILE.fullmatch(name) or name not in hashes:
            raise web.HTTPNotFound
        headers = {"x-amz-meta-sha256": hashes[name]}
        active = faults()
        data = (folder / name).read_bytes()
        if TAMPERED in active:
            data = data[:-1] + bytes([data[-1] ^ 0xFF])
        if TRUNCATED in active and request.method == "GET":
            return await _cut_off(request, data, headers)
        headers["ETag"] = f'"{hashlib.md5(data).hexdigest()}"'
        if TAMPERED in active:
            return web.Response(body=data, headers=headers)
        return web.FileResponse(folder / name, headers=headers)

    site = web.Application()
    site.router.add_get("/download/upgrade/v3", feed)
    site.router.add_get("/octopus/{name}", package)
    return site


async def _cut_off(
    request: web.Request, data: bytes, headers: dict[str, str]
) -> web.StreamResponse:
    """Promises the whole file and hangs up half-way."""
    response = web.StreamResponse(headers={**headers, "Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    assert request.transport is not None
    request.transport.close()
    return response
