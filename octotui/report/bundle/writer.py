"""Writing a bundle's file: whole or not at all, over nothing, readable by its owner only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from octotui.api.errors import OctotuiError

#: Of an unfinished bundle's file; a bundle that is killed leaves it behind.
_BEGINNING, _END = ".octotui-", ".part"

#: So old a one is nobody's work any more, in seconds.
_LEFT_BEHIND = 24 * 3600.0

_UNUSUAL = re.compile(r"[^A-Za-z0-9._ -]")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the bundle: its size in bytes as unpacked, and what is to be known about it."""

    name: str
    size: int
    sha256: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a bundle could not have, or only in part, and why."""

    what: str
    why: str


class BundleWriter:
    """The bundle's file while it is made. What is written into it is masked already."""

    def __init__(self, archive: zipfile.ZipFile, made: float) -> None:
        self._archive = archive
        self._date = time.gmtime(made)[:6]
        self.members: list[Member] = []
        self.missing: list[Missing] = []
        self._names: set[str] = set()

    def write(self, name: str, texts: Iterable[str], note: str = "") -> None:
        """Adds a file from its pieces, one at a time in memory."""
        info = zipfile.ZipInfo(self._free(name), self._date)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._archive.open(info, "w", force_zip64=True) as file:
            for text in texts:
                # A lone surrogate, from a name or text that is no Unicode, must not end it all.
                data = text.encode("utf-8", "replace")
                digest.update(data)
                size += len(data)
                file.write(data)
        self.members.append(Member(info.filename, size, digest.hexdigest(), note))

    def _free(self, name: str) -> str:
        """The name as every system can unpack it, below the bundle and not twice."""
        parts = [_UNUSUAL.sub("_", part)[:100] for part in re.split(r"[/\\]", name)]
        wanted = "/".join(part for part in parts[-8:] if part.strip(" ."))
        free, number = wanted or "_", 1
        while free.lower() in self._names:
            number += 1
            free = f"{wanted}-{number}"
        self._names.add(free.lower())
        return free

    def lacks(self, what: str, why: str) -> None:
        self.missing.append(Missing(what, why))

    def listed(self) -> dict[str, Any]:
        """What is in it so far, and what is not, as JSON values."""
        return {
            "members": [asdict(member) for member in self.members],
            "missing": [asdict(missing) for missing in self.missing],
        }


@contextlib.contextmanager
def new_bundle(path: Path, made: float) -> Iterator[BundleWriter]:
    """A bundle that is at ``path`` once the block has ended well, and nowhere before.

    ``made``: seconds since the epoch, the date of what is in it. Raises OctotuiError where it
    cannot be written, or where something is there already.
    """
    if os.path.lexists(path):
        raise _taken(path)
    _clear_up(path.parent, made)
    try:
        handle, name = tempfile.mkstemp(_END, _BEGINNING, path.parent)  # for its owner only
    except OSError as error:
        raise _unwritable(path, error) from error
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            with zipfile.ZipFile(file, "w") as archive:
                yield BundleWriter(archive, made)
            file.flush()
            os.fsync(file.fileno())
        _move(unfinished, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _clear_up(folder: Path, now: float) -> None:
    """Takes away what bundles that were killed have left in the folder."""
    for path in folder.glob(f"{_BEGINNING}*{_END}"):
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > _LEFT_BEHIND:
                path.unlink()


def _move(unfinished: Path, path: Path) -> None:
    """Gives the file its name, unless somebody else has taken that meanwhile."""
    try:
        path.hardlink_to(unfinished)
        return
    except FileExistsError:
        raise _taken(path) from None
    except (OSError, NotImplementedError):
        pass  # a file system without hard links
    if os.path.lexists(path):
        raise _taken(path)
    unfinished.rename(path)


def _taken(path: Path) -> OctotuiError:
    return OctotuiError(
        f"{path} is there already",
        left="It stays as it is, and no bundle was made",
        next_step="Name another file with --to",
    )


def _unwritable(path: Path, error: OSError) -> OctotuiError:
    return OctotuiError(
        f"the bundle {path} cannot be written: {error.strerror or error}",
        left="No bundle was made",
        next_step="Name a file on a disk with room in a folder of yours, with --to",
    )
