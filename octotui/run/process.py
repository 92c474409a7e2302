"""The runner's process: starting it apart from the terminal, and telling whether it lives."""

from __future__ import annotations

import subprocess
import sys

from filelock import FileLock, Timeout

from octotui.run.directory import RunDirectory


def process_lock(run: RunDirectory) -> FileLock:
    """Held by the run's runner for as long as it lives; the kernel lets go of it for the dead."""
    return FileLock(run.path / "lock")


def is_alive(run: RunDirectory) -> bool:
    """Whether a runner works on this run now."""
    try:
        with process_lock(run).acquire(timeout=0):
            return False
    except Timeout:
        return True


def start(run: RunDirectory) -> None:
    """Starts the run's runner in a session of its own, and returns once it lives or is gone.

    Closing the terminal, losing the connection or killing the viewer does not reach it.
    """
    command = [sys.executable, "-m", "octotui.cli.runner", str(run.path)]
    with run.runner_log.open("ab") as log:
        if sys.platform == "win32":
            # Not proved on Windows: the counterpart of a session of its own.
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, creationflags=flags
            )
        else:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    while child.poll() is None and not is_alive(run):
        try:
            child.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
