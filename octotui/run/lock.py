"""One run at a time for each cluster, by an operating system lock on this machine.

The lock is the kernel's: a runner that dies loses it, so no stale lock needs a person.
"""

from __future__ import annotations

import re
from types import TracebackType

from filelock import FileLock, Timeout

from octotui.api.errors import OctotuiError
from octotui.run.directory import state_folder


class ClusterBusy(OctotuiError):
    """Another run holds the cluster. ``holder`` is its id, or empty where unknown."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"run {holder or 'of somebody else'} is upgrading this cluster",
            left="Nothing was done",
            next_step=f"Look at it: octotui attach {holder}".rstrip(),
        )
        self.holder = holder


class ClusterLock:
    """Held from preflight to the end of a run; ``installation_id`` is the cluster's identity."""

    def __init__(self, installation_id: str, run_id: str) -> None:
        name = re.sub(r"[^A-Za-z0-9-]", "_", installation_id)
        self._folder = state_folder() / "locks"
        self._holder = self._folder / f"{name}.holder"
        self._lock = FileLock(self._folder / f"{name}.lock")
        self._run_id = run_id

    def acquire(self) -> None:
        """Raises ClusterBusy at once where another run holds it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            holder = self._holder.read_text().strip() if self._holder.is_file() else ""
            raise ClusterBusy(holder) from None
        self._holder.write_text(self._run_id)

    def release(self) -> None:
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> ClusterLock:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self.release()
