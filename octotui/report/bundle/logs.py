"""The end of logs: of gigabytes the last megabytes are kept, and that is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from octotui.report.bundle.encodings import narrow

#: Of one log no more than this is kept, in bytes.
LOG_LIMIT = 8 * 1024 * 1024

#: All logs of a run together, in bytes.
LOGS_LIMIT = 128 * 1024 * 1024


def read_end(path: Path, limit: int) -> tuple[str, str]:
    """The end of a text file, from the beginning of a line, and what is to be said about that.

    Raises OSError.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - limit))
        data = file.read(limit)
    if size > limit:
        data = from_line(data)
    return narrow(data), cut_note(len(data), size)


def from_line(data: bytes) -> bytes:
    """Without the first, cut line: half a secret is not recognised as one."""
    return data.partition(b"\n")[2]


def cut_note(kept: int, size: int) -> str:
    return f"only the last {kept} of {size} bytes" if kept < size else ""


def shares(sizes: Mapping[str, int], limit: int, each: int) -> int:
    """How much of each log is kept, in bytes: ``each`` at most, and all together ``limit``.

    Small ones stay whole.
    """
    left, share = limit, each
    for number, size in enumerate(sorted(sizes.values())):
        share = min(each, left // (len(sizes) - number))
        left -= min(size, share)
    return share


def log_files(folder: Path) -> list[Path]:
    """The files of a run's logs in the order of their names; none where there is no folder.

    Raises OSError.
    """
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
