"""What a person asked for: the profile and the options of ``upgrade``, kept in the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal, JournalReads
from octotui.run.reading import ReadingJournal


@dataclass(frozen=True, slots=True)
class RunRequest:
    """``profile`` is an absolute path, ``to`` empty for the profile's own.

    ``approved``: ``--yes``. ``attended``: a terminal is there to ask a person at.
    """

    profile: str
    to: str = ""
    approved: bool = False
    attended: bool = False
    waived: tuple[str, ...] = ()

    @classmethod
    def read(cls, journal: JournalReads) -> RunRequest:
        return cls._of(journal.meta("request"))

    @classmethod
    def parse(cls, text: str) -> RunRequest:
        """What ``text`` made."""
        return cls._of(json.loads(text))

    @classmethod
    def _of(cls, data: Mapping[str, Any]) -> RunRequest:
        return cls(**{**data, "waived": tuple(data["waived"])})

    def text(self) -> str:
        """In one line, for a process that is started with it. Nothing in it is secret."""
        return json.dumps(asdict(self))

    def write(self, journal: Journal) -> None:
        journal.set_meta("request", asdict(self))


def create_run(request: RunRequest) -> RunDirectory:
    """A new run's directory with the request in its journal. Raises OctotuiError."""
    run = RunDirectory.create()
    journal = Journal(run.journal, run.run_id)
    request.write(journal)
    journal.close()
    return run


def resumed_request(run: RunDirectory, *, approved: bool, attended: bool) -> RunRequest:
    """What a run is taken up again with: by whom it can be asked, and whether it is approved.

    An approval that was given before it began does not count any more: what it was given for may
    have changed. Raises OctotuiError.
    """
    before = RunRequest.read(ReadingJournal(run.journal, run.run_id))
    return replace(before, approved=approved, attended=attended)
