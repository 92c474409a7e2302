"""Records the journals that the cockpit's tests and pictures look at.

``python -m tests.tui.record_journals [NAME...]`` writes them anew, after a change of what a run
journals. Every scenario is a whole run of the product in virtual time against the lab's estate:
nothing in a recording depends on the day, the machine or the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from octotui.api.errors import SourceError
from octotui.api.events import Event
from octotui.api.source import Package
from octotui.run.logs import NodeLogs
from tests.cockpit_support import JOURNALS, RUN_ID
from tests.rehearsal import Estate, rehearse
from tests.simulated_upgrade import INSTALLED, Outcome, Shelf
from tests.virtual_time import VirtualClock

Play = Callable[[Estate], Awaitable[None]]

#: Everything a person does while a run works, with the name that stands in the journal.
PERSON = "ann"


@dataclass(frozen=True, slots=True)
class Scenario:
    """``play`` is what happens on an estate, made with the options ``lab``."""

    play: Play
    lab: dict[str, Any] = field(default_factory=dict)


def record(name: str) -> tuple[str, str]:
    """A scenario's journal and its logs, as the texts of their two files."""
    scenario = SCENARIOS[name]
    with tempfile.TemporaryDirectory() as folder, _alike(folder):
        place = Path(folder)

        async def play(estate: Estate) -> Outcome:
            await scenario.play(estate)
            journal = estate.journal(RUN_ID)
            events = list(journal.events())
            journal.close()
            return Outcome(0, events, {})

        outcome = rehearse(place, play, **scenario.lab)
        logs = _Logs(place / "logs").read()
        journal = "".join(_line(event) for event in outcome.events)
        return _without_places(journal, folder), _without_places(logs, folder)


def main(names: list[str]) -> int:
    for name in names or SCENARIOS:
        journal, logs = record(name)
        (JOURNALS / f"{name}.jsonl").write_text(journal, encoding="utf-8")
        (JOURNALS / f"{name}.log").write_text(logs, encoding="utf-8")
        print(f"{name}: {journal.count(chr(10))} events")
    return 0


# --- the same every time -------------------------------------------------------------------------

#: Log lines of all nodes in one file, each after its node's name.
_LINES = "all"


class _Logs(NodeLogs):
    """Lines with the time of the virtual clock."""

    def read(self) -> str:
        path = self._folder / _LINES
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def write(self, node: str | None, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(VirtualClock().time()))
        with (self._folder / _LINES).open("a", encoding="utf-8") as file:
            for line in text.splitlines():
                if line.strip():
                    file.write(f"{node or 'run'} {stamp} {line.rstrip()}\n")

    def keep(self, name: str, text: str) -> None:
        """Logs that are fetched whole are no part of a recording."""


@contextlib.contextmanager
def _alike(folder: str) -> Iterator[None]:
    """A state folder, a process number and logs that are the same in every recording."""
    with (
        mock.patch.dict(os.environ, OCTOTUI_STATE_DIR=str(Path(folder) / "state")),
        mock.patch("octotui.run.runner.os.getpid", return_value=4711),
        mock.patch("tests.rehearsal.NodeLogs", _Logs),
    ):
        yield


def _line(event: Event) -> str:
    at = round(event.at, 2)
    line = {"at": at, "subject": event.subject, "kind": event.kind, "data": event.data}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _without_places(text: str, folder: str) -> str:
    """What lies in the folder of a recording lies where it would on real machines."""
    nodes = sorted({part.split("/")[0] for part in text.split(f"{folder}/estate/")[1:]}, key=len)
    for node in reversed(nodes):
        text = text.replace(f"{folder}/estate/{node}/", "C:/")
    text = text.replace(f"{folder}/cache/", "/var/cache/octotui/")
    return text.replace(f"{folder}/", "D:/Backups/")


# --- what people do ------------------------------------------------------------------------------


class Beside:
    """A run that works while a person looks on. ``stop`` ends the recording there."""

    def __init__(self, estate: Estate, **settings: Any) -> None:
        wanted = {"attended": True, "backs_out": False, "approved": False, **_PROFILE, **settings}
        self.journal = estate.journal(RUN_ID)
        self._seen = self.journal._seq
        self._run = asyncio.ensure_future(estate.attempt(RUN_ID, **wanted))

    async def until(self, condition: Callable[[Event], bool]) -> None:
        """Waits for an event that was not waited for before. Fails where the run ends first."""
        while True:
            ended = self._run.done()
            for event in self.journal.events(self._seen):
                self._seen = event.seq
                if condition(event):
                    return
            assert not ended, "the run ended before what was waited for"
            await asyncio.sleep(0.2)

    async def enters(self, *states: str) -> None:
        await self.until(lambda e: e.kind == "state" and e.data["to"] in states)

    async def order(self, command: str, argument: str = "", *, after: float = 8.0) -> None:
        """Gives a command once somebody has read what there is to read."""
        await asyncio.sleep(after)
        number = self.journal.command(command, argument, PERSON)
        while (answer := self.journal.get_command(number).answer) is None:
            await asyncio.sleep(0.5)
        assert not answer.startswith("refused"), answer

    async def approve(self) -> None:
        await self.enters("ready")
        await self.order("approve")

    async def end(self) -> Outcome:
        try:
            return await self._run
        finally:
            self.journal.close()

    async def stop(self) -> None:
        """As if the runner were killed."""
        self._run.cancel()
        await asyncio.wait({self._run})
        self.journal.close()


_PROFILE = {"profile": "/profiles/prod-eu.toml", "cluster_url": "http://octopus.lab"}


async def _by_itself(estate: Estate) -> None:
    await Beside(estate, approved=True).end()


async def _alone_with_a_failure(estate: Estate) -> None:
    await Beside(estate, approved=True, attended=False).end()


async def _approved(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.end()


async def _backed_out(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.enters("needs_person")
    await run.order("rollback")
    await run.end()


async def _way_back_failed(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.enters("needs_person")
    await run.order("rollback")
    await run.enters("needs_person")
    await run.stop()


async def _stands_failed(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.enters("needs_person")
    await run.stop()


async def _held(estate: Estate) -> None:
    run = Beside(estate, hold=("migrating",))
    await run.approve()
    await run.enters("held")
    await run.order("release", after=95.0)
    await run.end()


async def _left_out(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.enters("needs_person")
    await run.order("leave-out", "OCTO2", after=200.0)
    await run.end()


async def _aborted(estate: Estate) -> None:
    run = Beside(estate)
    await run.enters("ready")
    await run.order("abort")
    await run.end()


async def _refused(estate: Estate) -> None:
    await Beside(estate).end()


async def _without_a_way_back(estate: Estate) -> None:
    estate.shelf = _WithoutTheOldOne()
    await Beside(estate).end()


async def _warned(estate: Estate) -> None:
    estate.shelf = _WithoutTheOldOne()
    estate.lab.stop_service("OCTO3", "somebody")
    await asyncio.sleep(100.0)  # until the cluster misses it
    run = Beside(estate, waived=("way-back",))
    await run.enters("ready")
    await run.stop()


async def _measured(estate: Estate) -> None:
    """The third upgrade of a cluster. Its database was slow at the first, a node at the second."""
    for run_id, version, scope, fault in (
        ("20250908-085320-0001", "2025.2.13099", "database", "upgrade-slow=2"),
        ("20250923-085320-0001", "2025.3.14287", "node2", "slow=2"),
    ):
        estate.lab.add_fault(f"{scope}:{fault}")
        await estate.attempt(run_id, to=version, approved=True)
        estate.lab.remove_fault(scope, fault.partition("=")[0])
        estate.lay_by(run_id)
    run = Beside(estate)
    await run.enters("ready")
    await run.stop()


async def _many(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.enters("joining")
    await asyncio.sleep(95.0)
    await run.stop()


async def _resumed(estate: Estate) -> None:
    run = Beside(estate)
    await run.approve()
    await run.enters("migrating")
    await asyncio.sleep(40.0)
    await run.stop()
    await asyncio.sleep(200.0)
    await Beside(estate).end()


class _WithoutTheOldOne(Shelf):
    async def locate(self, version: str) -> Package:
        if version == INSTALLED:
            raise SourceError(f"{version} is not offered any more")
        return await super().locate(version)


SCENARIOS: dict[str, Scenario] = {
    "succeeded": Scenario(_by_itself),
    "joining-failed": Scenario(_alone_with_a_failure, {"faults": ["node2:msi-exit=1603"]}),
    "rolled-back": Scenario(_backed_out, {"faults": ["node1:msi-exit=1603,times=1"]}),
    "way-back-failed": Scenario(_way_back_failed, {"faults": ["node1:msi-exit=1603"]}),
    "database-failed": Scenario(_stands_failed, {"faults": ["database:upgrade-fails"]}),
    "held": Scenario(_held),
    "left-out": Scenario(_left_out, {"faults": ["node2:msi-exit=1603"]}),
    "aborted": Scenario(_aborted),
    "refused": Scenario(_refused, {"faults": ["node2:disk-full", "node3:unreachable"]}),
    "no-way-back": Scenario(_without_a_way_back, {"faults": ["node2:disk-full"]}),
    "warned": Scenario(_warned),
    "measured": Scenario(_measured),
    "single": Scenario(_approved, {"nodes": 1}),
    "many": Scenario(
        _many,
        {
            "nodes": 40,
            "faults": [
                "node7:msi-exit=1603",
                "node21:slow=3",
                "node33:service-will-not-start",
            ],
        },
    ),
    "resumed": Scenario(_resumed),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
