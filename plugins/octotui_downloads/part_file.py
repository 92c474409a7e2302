"""A file that appears whole or not at all."""

from __future__ import annotations

import hashlib
import secrets
import threading
from contextlib import suppress
from pathlib import Path

#: A part that nobody wrote to for so long (seconds) is left over from a process that was killed.
_ABANDONED_AFTER = 24 * 3600.0


class PartFile:
    """Takes bytes beside the file ``to``, hashing them, until they are kept or discarded.

    Every part has a name of its own: two runs may fetch the same package into one cache, and each
    must keep what it hashed itself. Methods block and raise OSError; ``write`` may be called in
    another thread, and ``discard`` while it is.
    """

    def __init__(self, to: Path) -> None:
        self._to = to
        self._path = to.with_name(f"{to.name}.{secrets.token_hex(4)}.part")
        self._hash = hashlib.sha256()
        self._lock = threading.Lock()
        self._stream = self._path.open("xb", buffering=0)
        self.size = 0
        self._remove_abandoned()

    @property
    def sha256(self) -> str:
        """Of all that was written so far, lower-case hex."""
        return self._hash.hexdigest()

    def write(self, block: bytes) -> None:
        with self._lock:
            if self._stream.closed:
                return  # discarded meanwhile
            rest = memoryview(block)
            while rest:
                rest = rest[self._stream.write(rest) :]
            self._hash.update(block)
            self.size += len(block)

    def keep(self) -> None:
        """Puts the file in its place, replacing what is there."""
        self._stream.close()
        self._path.replace(self._to)

    def discard(self) -> None:
        """Removes it; does nothing once it was kept."""
        with self._lock:
            self._stream.close()
            with suppress(OSError):  # a virus scanner has it: removed as abandoned, later
                self._path.unlink(missing_ok=True)

    def _remove_abandoned(self) -> None:
        now = self._path.stat().st_mtime
        for other in self._to.parent.glob("*.part"):
            if other.name.startswith(f"{self._to.name}."):
                with suppress(OSError):  # somebody else was faster, or has it open
                    if other.stat().st_mtime < now - _ABANDONED_AFTER:
                        other.unlink()
