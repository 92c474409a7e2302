"""All plugins together: what they bring, what is wrong with them, and telling them what happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from octotui.api.backup import BackupProvider
from octotui.api.checks import Check
from octotui.api.events import Event
from octotui.api.source import SourceProvider
from octotui.api.transport import TransportProvider
from octotui.plugins import capabilities
from octotui.plugins.calls import DEFAULT_LIMIT, called
from octotui.plugins.capabilities import Capabilities, Kind, Offer, offers_of, rivalries
from octotui.plugins.discovery import (
    InstalledPlugin,
    PluginProblem,
    discover,
    identified,
    problem_of,
)
from octotui.plugins.loading import LoadedPlugin, PluginBroken, described, load_plugin

if TYPE_CHECKING:
    import click

#: A plugin whose behaviour hooks failed this often in a run is not told anything any more.
PATIENCE = 3


class Plugins:
    """The plugins of this installation, loaded each by itself: one that is broken harms no other.

    ``transports``, ``sources`` and ``backups`` are keyed as profiles name them (``Capabilities``);
    ``checks`` are pairs of a check and the plugin it came from; ``commands`` join the command
    line. ``problems`` grows while a run tells plugins what happens.
    """

    def __init__(
        self,
        loaded: Iterable[LoadedPlugin],
        problems: Iterable[PluginProblem] = (),
        *,
        limit: float = DEFAULT_LIMIT,
    ) -> None:
        self._loaded = tuple(loaded)
        self._problems = list(problems)
        self._limit = limit
        self._failures: Counter[InstalledPlugin] = Counter()
        self.transports: Capabilities[TransportProvider] = self._keyed(capabilities.TRANSPORTS)
        self.sources: Capabilities[SourceProvider] = self._keyed(capabilities.SOURCES)
        self.backups: Capabilities[BackupProvider] = self._keyed(capabilities.BACKUPS)
        self.checks: tuple[tuple[Check, str], ...] = self._all_checks()
        self.commands: tuple[click.Command, ...] = self._own_commands()

    @classmethod
    def load(cls, entry_points: Iterable[EntryPoint] | None = None) -> Plugins:
        """Loads what is installed, or the given entry points alone. Raises nothing."""
        if entry_points is None:
            found, problems = discover()
        else:
            found, problems = identified(entry_points), []
        loaded = []
        for each in found:
            try:
                loaded.append(load_plugin(each))
            except PluginBroken as broken:
                problems.append(problem_of(each.identity, str(broken)))
        return cls(loaded, problems)

    @property
    def installed(self) -> tuple[InstalledPlugin, ...]:
        """The plugins that were loaded."""
        return tuple(plugin.identity for plugin in self._loaded)

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        return tuple(self._problems)

    async def emit(self, hook: str, event: Event) -> tuple[PluginProblem, ...]:
        """Tells every plugin that listens; returns the problems that were new.

        One after another, each within the time limit; a plugin that failed ``PATIENCE`` times is
        muted for the rest of the run, which is said once.
        """
        news: list[PluginProblem] = []
        for plugin in self._loaded:
            for call in plugin.callables(hook, event=event):
                if self._failures[plugin.identity] >= PATIENCE:
                    break
                try:
                    await called(call, self._limit)
                except Exception as error:
                    news += self._failed(plugin.identity, f"{hook} failed: {described(error)}")
        self._problems += news
        return tuple(news)

    async def vetoes(self, phase: str) -> tuple[str, ...]:
        """Why plugins do not want a phase to begin, each with the plugin's name; empty: go on.

        A plugin that fails or does not answer in time has said no: whoever installed a veto wants
        to be asked. Vetoes are never muted.
        """
        reasons: list[str] = []
        for plugin in self._loaded:
            for call in plugin.callables("octotui_before_phase", phase=phase):
                try:
                    answer = await called(call, self._limit)
                except Exception as error:
                    reasons.append(f"{plugin.identity} could not be asked: {described(error)}")
                    continue
                if answer is not None:
                    reason = answer if isinstance(answer, str) and answer else repr(answer)
                    reasons.append(f"{plugin.identity}: {reason}")
        return tuple(reasons)

    def _failed(self, identity: InstalledPlugin, problem: str) -> list[PluginProblem]:
        self._failures[identity] += 1
        news = [problem_of(identity, problem)]
        if self._failures[identity] == PATIENCE:
            said = f"it failed {PATIENCE} times and is not told anything more in this run"
            news.append(problem_of(identity, said))
        return news

    def _offers(self, kind: Kind) -> list[Offer]:
        offers: list[Offer] = []
        for plugin in self._loaded:
            brought, problems = offers_of(plugin, kind)
            offers += brought
            self._problems += problems
        return offers

    def _keyed(self, kind: Kind) -> Capabilities[Any]:
        offers = self._offers(kind)
        consequence = "a profile must choose one as DISTRIBUTION/NAME"
        self._problems += rivalries(kind, offers, consequence)
        return Capabilities(offers)

    def _all_checks(self) -> tuple[tuple[Check, str], ...]:
        """Every check, those of the same name too: no plugin can put another's check away."""
        offers = self._offers(capabilities.CHECKS)
        self._problems += rivalries(capabilities.CHECKS, offers, "all of them are run")
        return tuple((offer.thing, offer.identity.plugin) for offer in offers)

    def _own_commands(self) -> tuple[click.Command, ...]:
        offers = self._offers(capabilities.COMMANDS)
        self._problems += rivalries(capabilities.COMMANDS, offers, "none of them is used")
        names = Counter(offer.thing.name for offer in offers)
        return tuple(offer.thing for offer in offers if names[offer.thing.name] == 1)
