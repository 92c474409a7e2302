"""Which plugins are installed, by the packages' own metadata, without importing any of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from octotui.api.hooks import ENTRY_POINT_GROUP


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """A plugin by the name of its entry point, and the distribution that brings it."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True, slots=True)
class PluginProblem:
    """What is wrong with a plugin, as a sentence for a person."""

    plugin: str
    distribution: str
    version: str
    problem: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version}): {self.problem}"


@dataclass(frozen=True, slots=True)
class Found:
    """An entry point and whose it is."""

    identity: InstalledPlugin
    entry_point: EntryPoint


def problem_of(identity: InstalledPlugin, problem: str) -> PluginProblem:
    return PluginProblem(identity.plugin, identity.distribution, identity.version, problem)


def installed_plugins() -> tuple[InstalledPlugin, ...]:
    """Names and versions of all plugins that are installed. Imports none of them."""
    found, _ = discover()
    return tuple(each.identity for each in found)


def discover() -> tuple[list[Found], list[PluginProblem]]:
    """Every entry point of our group, in the order of their names, and what could not be read.

    ``importlib.metadata.entry_points`` is not asked: one malformed file anywhere in the
    environment takes it down.
    """
    entry_points: dict[str, list[EntryPoint]] = {}
    problems: list[PluginProblem] = []
    for distribution in distributions():
        try:
            mine = [e for e in distribution.entry_points if e.group == ENTRY_POINT_GROUP]
        except Exception as error:
            if _names_us(distribution):
                identity = _identity("?", distribution)
                reason = f"its entry points cannot be read: {type(error).__name__}: {error}"
                problems.append(problem_of(identity, reason))
            continue
        if mine:
            # The first on the path is the one that Python imports, as with modules.
            entry_points.setdefault(normalised(_identity("", distribution).distribution), mine)
    return identified(e for each in entry_points.values() for e in each), problems


def identified(entry_points: Iterable[EntryPoint]) -> list[Found]:
    """Entry points with whose they are, in the order of their names."""
    found = [Found(_identity(each.name, each.dist), each) for each in entry_points]
    return sorted(found, key=lambda f: (f.identity.plugin, f.identity.distribution))


def normalised(distribution: str) -> str:
    """A distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _identity(plugin: str, distribution: Distribution | None) -> InstalledPlugin:
    """Whose an entry point is; a damaged package has at least a question mark."""
    name = version = None
    try:
        if distribution is not None:
            name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    except Exception:
        name = version = None
    return InstalledPlugin(plugin, name or "?", version or "?")


def _names_us(distribution: Distribution) -> bool:
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception:
        return False
    return re.search(rf"^\s*\[{ENTRY_POINT_GROUP}\]", text, re.MULTILINE) is not None
