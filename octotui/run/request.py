"""What a person asked for: the profile and the options of ``upgrade``, kept in the journal."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from octotui.run.directory import RunDirectory
from octotui.run.journal import Journal, JournalReads


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
        data: dict[str, Any] = journal.meta("request")
        return cls(**{**data, "waived": tuple(data["waived"])})

    def write(self, journal: Journal) -> None:
        journal.set_meta("request", asdict(self))


def create_run(request: RunRequest) -> RunDirectory:
    """A new run's directory with the request in its journal. Raises OctotuiError."""
    run = RunDirectory.create()
    journal = Journal(run.journal, run.run_id)
    request.write(journal)
    journal.close()
    return run


def resume_run(run: RunDirectory, *, approved: bool, attended: bool) -> None:
    """Notes that a run is taken up again, by whom it can be asked, and whether it is approved.

    An approval that was given before it began does not count any more: what it was given for may
    have changed.
    """
    journal = Journal(run.journal, run.run_id)
    request = replace(RunRequest.read(journal), approved=approved, attended=attended)
    request.write(journal)
    journal.close()
