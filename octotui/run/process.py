"""The runner's process: starting it apart from the terminal, and telling whether it lives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from filelock import FileLock

    from octotui.run.request import RunRequest

_Unknown = TypeVar("_Unknown", bool, None)

#: So much of a runner's last words is told, bytes.
_LAST_WORDS: Final = 2000

#: A lock that cannot be opened, or a file system without any.
_NO_LOCK: Final = (OSError, NotImplementedError)

#: Whoever looks at the lock may hold it for a moment, never for so long, seconds.
_PATIENCE: Final = 1.0


class RunnerRefused(OctotuiError):
    """The runner said no before it did anything; its words are a person's already."""

    def __str__(self) -> str:
        return self.what.strip()


class LifeUnknown(OctotuiError):
    """Whether a runner works on a run cannot be told: its lock is there and cannot be looked at."""

    def __init__(self, run: RunDirectory, error: Exception) -> None:
        super().__init__(
            f"whether run {run.run_id} is alive cannot be told: its lock {_lock_of(run)} cannot be "
            f"looked at: {getattr(error, 'strerror', None) or error}",
            next_step="Look at the rights of that file and its folder",
        )


def _lock_of(run: RunDirectory) -> Path:
    return run.path / "lock"


def process_lock(run: RunDirectory) -> FileLock:
    """Held by the run's runner for as long as it lives; the kernel lets go of it for the dead."""
    from filelock import FileLock  # who only looks at runs does without

    return FileLock(_lock_of(run))


@contextmanager
def carrying_out(run: RunDirectory) -> Iterator[None]:
    """Holds the lock as the run's one runner.

    Raises RunnerRefused where another process has it, LifeUnknown where it cannot be opened.
    """
    from filelock import Timeout

    lock = process_lock(run)
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise is_alive_already(run) from None
    except _NO_LOCK as error:
        raise LifeUnknown(run, error) from error
    try:
        yield
    finally:
        lock.release()


def is_alive_already(run: RunDirectory) -> RunnerRefused:
    """The error for one who would carry out a run that another process carries out."""
    return RunnerRefused(
        f"Run {run.run_id} is alive: another process carries it out. Look at it: "
        f"octotui attach {run.run_id}"
    )


def is_alive(run: RunDirectory) -> bool:
    """Whether a runner works on this run now. Only looks: it makes no file and no folder.

    Raises LifeUnknown.
    """
    try:
        return _is_locked(_lock_of(run))
    except (FileNotFoundError, NotADirectoryError):
        return False  # no runner ever took it, or the run is gone
    except _NO_LOCK as error:
        raise LifeUnknown(run, error) from error


def is_alive_or(run: RunDirectory, unknown: _Unknown) -> bool | _Unknown:
    """The same, and ``unknown`` where it cannot be told."""
    try:
        return is_alive(run)
    except LifeUnknown:
        return unknown


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


def start(run: RunDirectory, request: RunRequest, seen: int = 0) -> None:
    """Starts the run's runner in a session of its own, and returns once one lives: of two who start
    at the same time the quicker one's.

    ``seen`` is the newest event that this was decided by: where another runner has written more
    since, it is refused. Closing the terminal, losing the connection or killing the viewer does not
    reach the process. Raises
    RunnerRefused where it ended at once, as with a profile that has faults, or where the run has
    a runner already; then nothing was done.
    """
    if is_alive(run):
        raise is_alive_already(run)  # and its last words are left to it
    program = [sys.executable, "-m", "octotui.cli.runner"]
    command = [*program, str(run.path), str(seen), request.text()]
    # Transports work in threads; with an arena for each the C library keeps memory that is free.
    environment = {"MALLOC_ARENA_MAX": "2", **os.environ}
    run.runner_log.write_bytes(b"")
    # To append: of two who start at the same time neither writes over the other's words.
    with run.runner_log.open("ab") as log:
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
