"""A job under way, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octotui_lab.hosts import WindowsHost
from octotui_lab.model.sql import Statement


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended; ``result`` always has ``problem``."""

    exit_code: int
    result: dict[str, Any]


class JobRun:
    """A job under way: on which host, as whom, with its folder and its output."""

    def __init__(self, host: WindowsHost, job_id: str, folder: Path, identity: str) -> None:
        self.host = host
        self.id = job_id
        self.folder = folder
        self.identity = identity
        #: Why a line of output could not be kept, of the first one; empty where all were.
        self.output_problem = ""
        self._written = 0

    def write(self, line: str) -> None:
        """Appends a line to the job's output. A line that cannot be kept ends no job."""
        data = f"{line}\n".encode()
        try:
            with (self.folder / "output.txt").open("ab") as file:
                file.write(data)
        except OSError as error:
            self.output_problem = self.output_problem or str(error)
            return
        self._written += len(data)
        self.host.wrote(self.id, self._written)

    def deadline(self, seconds: float) -> float:
        """When that many seconds of the node's time are over: they pass as fast as its work."""
        clock = self.host.world.schedule.clock
        return clock.now() + seconds / clock.speed

    async def sql(self, text: str) -> Statement:
        """Runs a statement as the job's account, its messages into the output."""
        return await self.host.sql(text, self.identity, self.write)
