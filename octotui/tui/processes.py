"""Starting the process that carries out a run. Only for use in a thread: it waits for a moment."""

from __future__ import annotations

from pathlib import Path

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.run.process import start
from octotui.run.request import RunRequest, create_run, resume_run


def begin(profile: Path) -> RunDirectory:
    """A new run of that profile, which waits for approval. Raises OctotuiError."""
    run = create_run(RunRequest(str(profile.resolve()), attended=True))
    try:
        start(run)
    except OctotuiError:
        run.remove()
        raise
    return run


def take_up(run: RunDirectory) -> None:
    """Goes on with a run that nobody carries out now. Raises OctotuiError."""
    resume_run(run, approved=False, attended=True)
    start(run)
