"""Estates whose upgrades run at the ports: hundreds of whole runs in the time of one on sockets.

``port_run`` is one unattended run, ``play_at_ports`` whatever a test does with runners that come
and go on one estate. Both use virtual time, and both judge by the lab's own truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from octotui.plugins import Plugins
from octotui.run import runner
from octotui.run.journal import Journal
from octotui.run.preflight import RunSettings
from octotui.upgrade.steps import cluster, waits
from octotui.upgrade.steps.base import World
from octotui_lab.catalogue import Catalogue, load_catalogue
from octotui_lab.model.state import Durations
from octotui_lab.waiting import Waiter
from octotui_lab.world import World as LabWorld
from tests.rehearsal import Estate, play_on
from tests.simulated_upgrade import KEY, LoopClock, Outcome
from tests.support.ports import Hook, Machine, PortNode, PortServer, Shelf, nothing_happens
from tests.virtual_time import VirtualClock


@cache
def _plugins() -> Plugins:
    """The first-party plugins, loaded once: they keep no state between runs."""
    return Plugins.load()


@cache
def _catalogue() -> Catalogue:
    return load_catalogue()


#: Shorter where the server's own verbs look three times a second, and where programs write line by
#: line: each look and each line is an event here.
QUICK = Durations(stop=5.0, service_running=2.0, database_upgrade=30.0, backup=20.0)


def address(node: str) -> str:
    """A node's own address, by which ``PortServer`` knows it."""
    return f"https://{node.lower()}.lab"


@dataclass
class PortEstate(Estate):
    """An estate behind ports. ``hook`` is asked at every call of every port."""

    hook: Hook = nothing_happens
    durations: Durations = QUICK
    plugins: Plugins = field(default_factory=_plugins)

    def __post_init__(self) -> None:
        self.lab = LabWorld.create(
            self.nodes,
            clock=LoopClock(),
            faults=self.faults,
            root="C:/estate",
            maintenance=self.maintenance,
            durations=self.durations,
            catalogue=_catalogue(),
        )
        self.hosts = {}
        self.waiter = Waiter(self.lab.schedule)
        self.packages = Shelf(self.lab.catalogue)
        self.machines = {name: Machine() for name in self.lab.node_names}

    def ask(self, moment: Any, call: str) -> None:
        """The hook as it is now: a test may replace it while a run is under way."""
        self.hook(moment, call)

    def world(self, run_id: str) -> World:
        self.packages.hook = self.ask
        backup = self.plugins.backups["node"]
        settings = backup.settings(path="//backup/octopus")
        return World(
            server=PortServer(self.lab, self.run_settings().first_node, self.waiter, self.ask),
            nodes={
                name: PortNode(self.lab, name, machine, self.waiter, self.packages, self.ask)
                for name, machine in self.machines.items()
            },
            source=self.packages,
            backup=backup.open(settings, None),  # type: ignore[arg-type]
            cache=self.folder / "cache",
            api_key=SecretStr(KEY),
            clock=VirtualClock(),
        )

    def run_settings(self) -> RunSettings:
        urls = {name: address(name) for name in self.lab.node_names}
        return replace(super().run_settings(), **{"urls": urls, **self.settings})

    def journal(self, run_id: str = "run-1") -> Journal:
        self.folder.mkdir(parents=True, exist_ok=True)
        journal = super().journal(run_id)
        # One process reads and writes here, so that no file has to be locked for each event.
        journal._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        return journal

    async def close(self) -> None:
        tasks = [
            record.task
            for machine in self.machines.values()
            for record in machine.jobs.values()
            if record.task is not None
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def look_rarely(patch: pytest.MonkeyPatch) -> None:
    """Polls by virtual seconds that cost little: time is free there, looking is not."""
    for module in (waits, cluster):
        patch.setattr(module, "pause", lambda elapsed: 5.0)
    patch.setattr(runner, "COMMAND_PAUSE", 20.0)


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    look_rarely(monkeypatch)


def play_at_ports(
    folder: Path, play: Callable[[PortEstate], Awaitable[Outcome]], **settings: Any
) -> Outcome:
    """Plays on an estate of its own at the ports. Arguments are PortEstate's."""
    return play_on(PortEstate, folder, play, **settings)


def port_run(folder: Path, *, attended: bool = False, **settings: Any) -> Outcome:
    """One run from beginning to end."""
    return play_at_ports(folder, lambda estate: estate.attempt(attended=attended), **settings)
