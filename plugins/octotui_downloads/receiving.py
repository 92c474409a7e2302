"""A package on its way to the disk: hashed as it comes, there whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO

from octotui.api import Package, Progress
from octotui.api.errors import SourceError

#: Every MSI is an OLE compound file.
_MSI_BEGINS = bytes.fromhex("D0CF11E0A1B11AE1")

#: Bytes collected before they are hashed and written, off the event loop.
_BLOCK = 1 << 20


class Receiving:
    """Writes ``to`` by way of ``TO.part``, which is gone afterwards, whatever happens."""

    def __init__(self, package: Package, to: Path, progress: Progress) -> None:
        self._package = package
        self._to = to
        self._part = to.with_name(to.name + ".part")
        self._progress = progress
        self._hash = hashlib.sha256()
        self._block = bytearray()
        self._size = 0
        self._total: int | None = None
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Receiving:
        try:
            self._to.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("wb")
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    async def __aexit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()
        self._part.unlink(missing_ok=True)

    async def write(self, chunk: bytes, total: int | None) -> None:
        """Takes the next bytes. Raises SourceError where the disk does not."""
        if not self._size and not chunk.startswith(_MSI_BEGINS[: len(chunk)]):
            raise SourceError(
                f"{self._package.url} answers with something that is no MSI",
                meaning="Often that is the page of a proxy that wants something first",
                left="Nothing was kept",
                next_step="Open the address in a browser on this machine",
            )
        self._size += len(chunk)
        self._total = total
        self._block += chunk
        if len(self._block) >= _BLOCK:
            await self._flush()

    async def finish(self) -> Package:
        """Proves size and hash, and puts the file in its place."""
        await self._flush()
        sha256 = self._hash.hexdigest()
        for wanted in {self._package.size, self._total} - {None}:
            if self._size != wanted:
                raise SourceError(
                    f"{self._package.file_name} came with {self._size} bytes and not {wanted}",
                    meaning="The download ended early, or the file was changed on the way",
                    left="Nothing was kept",
                    next_step="Try again; if it stays so, ask who runs the proxy or mirror",
                )
        if self._package.sha256 and sha256 != self._package.sha256:
            raise SourceError(
                f"{self._package.file_name} has the SHA-256 {sha256}, "
                f"but {self._package.sha256} is published",
                meaning="The file is not the one that was published",
                left="It was thrown away",
                next_step="Do not install it from elsewhere; ask who runs the proxy or mirror",
            )
        assert self._file is not None
        try:
            self._file.close()
            self._part.replace(self._to)
        except OSError as error:
            raise self._unwritable(error) from error
        return replace(self._package, sha256=sha256, size=self._size)

    async def _flush(self) -> None:
        block, self._block = bytes(self._block), bytearray()
        try:
            await asyncio.to_thread(self._store, block)
        except OSError as error:
            raise self._unwritable(error) from error
        self._progress(self._size, self._total)

    def _store(self, block: bytes) -> None:
        assert self._file is not None
        self._hash.update(block)
        self._file.write(block)

    def _unwritable(self, error: OSError) -> SourceError:
        return SourceError(
            f"{self._part} cannot be written: {error.strerror}",
            left="Nothing was kept",
            next_step="Make room there, or name another folder in OCTOTUI_STATE_DIR",
        )
