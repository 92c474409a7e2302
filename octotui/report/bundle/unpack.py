"""Unpacking a zip that others made, within bounds, so that what is in it can be masked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from octotui.report.bundle.encodings import text_of
from octotui.report.bundle.logs import LOG_LIMIT, cut_note, from_line

#: So much is unpacked of a zip and of all zips in it, in bytes, and so many files.
UNPACKED_LIMIT = 512 * 1024 * 1024
FILES_LIMIT = 2_000

#: Zips in zips in zips are opened; what is deeper is left out.
_DEEPEST = 3

#: A zip within a zip is read into memory, up to this many bytes.
_INNER_LIMIT = 64 * 1024 * 1024

_CHUNK = 256 * 1024

_UNREADABLE = "it is no text, so nothing in it could be masked"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file of a zip. ``text`` None: it was left out, and ``note`` says why."""

    name: str
    text: str | None
    note: str = ""


def unpacked(file: IO[bytes]) -> Iterator[Unpacked]:
    """The texts of a zip, of zips in it too, in their order. What is no text is left out.

    Never raises for what is wrong with the zip: that is said, and what can be had is had.
    """
    yield from _Unpacking().all_of(file, "", 1)


class _Unpacking:
    def __init__(self) -> None:
        self._left = UNPACKED_LIMIT
        self._files = 0

    def all_of(self, file: IO[bytes], prefix: str, depth: int) -> Iterator[Unpacked]:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
            yield Unpacked(prefix, None, f"it is no whole zip: {error}")
            return
        with archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                name = f"{prefix}{info.filename}"
                self._files += 1
                if self._files > FILES_LIMIT or self._left <= 0:
                    yield Unpacked(name, None, "it and what follows is more than a bundle takes")
                    return
                yield from self._one(archive, info, name, depth)

    def _one(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, depth: int
    ) -> Iterator[Unpacked]:
        try:
            with archive.open(info) as member:
                inner = member.peek(4)[:4] in (b"PK\x03\x04", b"PK\x05\x06")  # type: ignore[attr-defined]
                data, size = self._end_of(member, _INNER_LIMIT if inner else LOG_LIMIT)
        # An encrypted one is a RuntimeError, an unknown method a NotImplementedError.
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
            yield Unpacked(name, None, f"it cannot be unpacked: {error}")
            return
        if inner and depth < _DEEPEST and len(data) == size:
            yield from self.all_of(io.BytesIO(data), f"{name}/", depth + 1)
            return
        note = cut_note(len(data), max(size, info.file_size))
        text = None if inner else text_of(from_line(data) if note else data)
        yield Unpacked(name, text, _UNREADABLE if text is None else note)

    def _end_of(self, member: IO[bytes], limit: int) -> tuple[bytes, int]:
        """The last bytes of a file, and how many were read of it within what is left."""
        kept, size = bytearray(), 0
        while self._left > 0 and (chunk := member.read(min(_CHUNK, self._left))):
            self._left -= len(chunk)
            size += len(chunk)
            kept += chunk
            if len(kept) > 2 * limit:
                del kept[:-limit]
        return bytes(kept[-limit:]), size
