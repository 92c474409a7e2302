"""Starting the process that carries out a run. Only for use in a thread: it waits for a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from octotui.run.directory import RunDirectory
from octotui.run.process import RunnerRefused, start
from octotui.run.reading import ReadingJournal
from octotui.run.request import RunRequest, create_run, resumed_request


def begin(profile: Path) -> RunDirectory:
    """A new run of that profile, which waits for approval. Raises OctotuiError."""
    return _begin(RunRequest(str(profile.resolve()), attended=True))


def begin_again(run: RunDirectory, waived: Sequence[str] = ()) -> RunDirectory:
    """A new run with what that one was asked for, which waits for approval. Raises OctotuiError.

    ``waived``: names of checks that it goes on without, besides those that one was to.
    """
    request = RunRequest.read(ReadingJournal(run.journal, run.run_id))
    names = tuple(dict.fromkeys((*request.waived, *waived)))
    return _begin(replace(request, approved=False, attended=True, waived=names))


def _begin(request: RunRequest) -> RunDirectory:
    run = create_run(request)
    try:
        start(run, request)
    except RunnerRefused:
        run.remove()
        raise
    return run


def take_up(run: RunDirectory, seen: int) -> None:
    """Goes on with a run that nobody has carried out since its event ``seen``.

    Raises OctotuiError, and changes nothing then, where somebody did.
    """
    start(run, resumed_request(run, approved=False, attended=True), seen)
