"""Runs that are killed, steered and resumed on one simulated estate, in virtual time.

``Simulation`` runs one upgrade and ends; here the estate lives on between runners, as nodes do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from octotui.api.events import Event
from octotui.run.directory import state_folder
from octotui.run.journal import Journal
from octotui.run.logs import NodeLogs
from octotui.run.runner import Runner
from octotui.upgrade.phases import FINAL
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome, Simulation
from tests.virtual_time import run_virtually

#: No run may take longer than this, seconds of virtual time.
LONGEST = 12 * 3600.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks less often than the product does: virtual time is free, looks are not."""
    quicken(monkeypatch)


def quicken(patch: pytest.MonkeyPatch) -> None:
    for module in ("waits", "cluster"):
        patch.setattr(f"octotui.upgrade.steps.{module}.pause", lambda elapsed: 2.0)
    patch.setattr("octotui.run.runner.COMMAND_PAUSE", 1.0)


class Killed(BaseException):
    """The runner's process is gone, as after kill -9: nothing of it runs any more."""


class MortalJournal(Journal):
    """Kills the runner at its n-th write, before or after it, and takes nothing from the dead."""

    def __init__(self, inner: Journal, lives: int, after: bool) -> None:
        self.__dict__.update(inner.__dict__)
        self._left = lives
        self._after = after

    def append(self, subject: str, kind: str, data: Mapping[str, Any] | None = None) -> Event:
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._after):
            raise Killed
        event = super().append(subject, kind, data)
        if self._left == 0:
            raise Killed
        return event

    def answer(self, command_id: int, answer: str) -> None:
        if self._left <= 0:
            raise Killed
        super().answer(command_id, answer)


@dataclass
class Estate(Simulation):
    """An estate on which runners come and go."""

    async def attempt(
        self,
        run_id: str = "run-1",
        *,
        during: Callable[[Journal], Awaitable[None]] | None = None,
        journal: Journal | None = None,
        **settings: Any,
    ) -> Outcome:
        """One runner on that run's journal, to its end; nodes and their jobs go on after it."""
        journal = journal or self.journal(run_id)
        beside = asyncio.ensure_future(during(journal)) if during else None
        try:
            async with self.world(run_id) as world:
                logs = NodeLogs(self.folder / "logs")
                wanted = replace(self.run_settings(), **settings)
                code = await Runner(journal, logs, world, self.plugins, wanted).run()
            if beside:
                await beside
            return Outcome(code, list(journal.events()), self.lab.truth(final=True))
        finally:
            if beside:
                beside.cancel()
            journal.close()

    def journal(self, run_id: str = "run-1") -> Journal:
        """A journal that does not wait for the disk: no test pulls the plug."""
        journal = super().journal(run_id)
        journal._db.execute("PRAGMA synchronous=OFF")
        return journal

    def lay_by(self, run_id: str) -> None:
        """Puts the journal and the logs of a run that has ended where past runs lie."""
        place = state_folder() / "runs" / run_id
        place.mkdir(parents=True)
        (self.folder / f"{run_id}.db").rename(place / "run.db")
        (self.folder / "logs").rename(place / "logs")

    async def close(self) -> None:
        for host in self.hosts.values():
            await host.close()


AnyEstate = TypeVar("AnyEstate", bound="Estate")


def play_on(
    kind: type[AnyEstate],
    folder: Path,
    play: Callable[[AnyEstate], Awaitable[Outcome]],
    **settings: Any,
) -> Outcome:
    """Plays on an estate of that kind, within bounded virtual time; settings are the kind's."""

    async def whole() -> Outcome:
        estate = kind(folder, **settings)
        try:
            async with asyncio.timeout(LONGEST):
                return await play(estate)
        finally:
            await estate.close()

    return run_virtually(whole())


def rehearse(
    folder: Path, play: Callable[[Estate], Awaitable[Outcome]], **settings: Any
) -> Outcome:
    """Plays on an estate that speaks the real protocols. Arguments are Simulation's."""
    return play_on(Estate, folder, play, **settings)


def rehearse_one(folder: Path, *, attended: bool = False, **settings: Any) -> Outcome:
    """One run from beginning to end."""
    return rehearse(folder, lambda estate: estate.attempt(attended=attended), **settings)


async def state_is(journal: Journal, *states: str) -> None:
    """Waits until the run is in one of these states."""
    while True:
        events = [event for event in journal.events() if event.kind == "state"]
        now = events[-1].data["to"] if events else "preflight"
        if now in states:
            return
        if now in FINAL:
            raise AssertionError(f"the run ended {now} and was never {states}")
        await asyncio.sleep(0.5)


async def order(journal: Journal, command: str, argument: str = "") -> str:
    """Gives a command as a viewer would and waits for the runner's answer."""
    number = journal.command(command, argument, "tester")
    while (answer := journal.get_command(number).answer) is None:
        await asyncio.sleep(0.5)
    return answer


def started(outcome: Outcome, step: str) -> list[Event]:
    return [e for e in outcome.events if e.kind == "step.started" and e.data["step"] == step]


def failures(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """The errors of the attempts that failed, by step."""
    return {
        e.data["step"]: e.data["error"]
        for e in outcome.events
        if e.kind == "step.ended" and "error" in e.data
    }


CHANGES = {
    "maintenance-on", "maintenance-off", "drain-on", "drain-off", "task-cancel", "service-stop",
    "service-start", "msi-install", "msi-uninstall", "backup", "database-upgrade",
    "database-restore", "watchdog-disable", "watchdog-enable", "start-type", "task-cap",
}  # fmt: skip


def changes(outcome: Outcome) -> list[tuple[str, str | None]]:
    """What was changed that users or administrators could notice."""
    return outcome.actions(*CHANGES)


def assert_safe(outcome: Outcome) -> None:
    """What must hold however a run ends."""
    left_open = outcome.state in ("needs_person", "held")
    violations = [v for v in outcome.truth["violations"] if not (left_open and v["rule"] == "R8")]
    assert violations == []
    assert outcome.last.kind == "run.ended"
    assert outcome.truth["database"]["upgrades"] <= 1
    assert [e.seq for e in outcome.events] == list(range(1, len(outcome.events) + 1))


def assert_as_found(outcome: Outcome) -> None:
    """Everything as before the run."""
    assert_safe(outcome)
    assert outcome.truth["database"]["version"] == INSTALLED
    assert_serves(outcome, INSTALLED)


def assert_upgraded(outcome: Outcome) -> None:
    assert_safe(outcome)
    assert (outcome.state, outcome.code) == ("succeeded", 0), outcome.lines
    assert outcome.truth["database"]["version"] == TARGET
    assert outcome.truth["database"]["upgrades"] == 1
    assert_serves(outcome, TARGET)


def assert_serves(outcome: Outcome, version: str, *names: str) -> None:
    """These nodes, or all and the cluster with them, serve and nothing of ours is left on them."""
    if not names:
        cluster = outcome.truth["cluster"]
        assert cluster["maintenance"] == cluster["initial_maintenance"]
    for name in names or outcome.truth["nodes"]:
        node = outcome.truth["nodes"][name]
        assert (node["version"], node["service"]) == (version, "running"), name
        assert (node["watchdog"], node["start_type"]) == ("enabled", "automatic"), name
        if not names:
            assert not node["draining"], name
