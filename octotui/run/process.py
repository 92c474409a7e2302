"""The runner's process: starting it apart from the terminal, and telling whether it lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from filelock import FileLock

#: So much of a runner's last words is told, bytes.
_LAST_WORDS: Final = 2000


class RunnerRefused(OctotuiError):
    """The runner said no before it did anything; its words are a person's already."""

    def __str__(self) -> str:
        return self.what.strip()


def process_lock(run: RunDirectory) -> FileLock:
    """Held by the run's runner for as long as it lives; the kernel lets go of it for the dead."""
    from filelock import FileLock  # who only looks at runs does without

    return FileLock(run.path / "lock")


def is_alive(run: RunDirectory) -> bool:
    """Whether a runner works on this run now. Only looks: it makes no file and no folder.

    Raises OSError where the lock is there and cannot be looked at.
    """
    try:
        return _is_locked(run.path / "lock")
    except (FileNotFoundError, NotADirectoryError):
        return False  # no runner ever took it, or the run is gone


if sys.platform == "win32":

    def _is_locked(path: Path) -> bool:
        from filelock import FileLock, Timeout

        path.stat()
        try:
            with FileLock(path).acquire(timeout=0):
                return False
        except Timeout:
            return True

else:

    def _is_locked(path: Path) -> bool:
        # Shared: two who look at the same time do not take each other for a runner.
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def last_words(run: RunDirectory) -> str:
    """The end of what the runner's process itself wrote; empty unless something is badly wrong."""
    try:
        with run.runner_log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_WORDS))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def start(run: RunDirectory) -> None:
    """Starts the run's runner in a session of its own, and returns once it lives.

    Closing the terminal, losing the connection or killing the viewer does not reach it. Raises
    RunnerRefused where it ended at once, as with a profile that has faults; then nothing was done.
    """
    command = [sys.executable, "-m", "octotui.cli.runner", str(run.path)]
    # Transports work in threads; with an arena for each the C library keeps memory that is free.
    environment = {"MALLOC_ARENA_MAX": "2", **os.environ}
    with run.runner_log.open("wb") as log:
        if sys.platform == "win32":
            # Not proved on Windows: the counterpart of a session of its own.
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                creationflags=flags,
            )
        else:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
    while not is_alive(run):
        try:
            code = child.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        if code == 2:
            raise RunnerRefused(run.runner_log.read_text(encoding="utf-8", errors="replace"))
        return  # it is over already; its journal tells how
