"""What plugins bring: asking each for it, naming what is no such thing, telling rivals apart."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from octotui.plugins.discovery import InstalledPlugin, PluginProblem, normalised, problem_of
from octotui.plugins.loading import LoadedPlugin, described

_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of capability: the hook it comes from, what people call it, what it must have."""

    hook: str
    title: str
    attributes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


TRANSPORTS = Kind(
    "octotui_transports", "transport", ("settings",), ("connect", "credentials", "unprotected")
)
SOURCES = Kind("octotui_sources", "source", ("settings",), ("open",))
BACKUPS = Kind("octotui_backups", "backup", ("settings",), ("open",))
CHECKS = Kind("octotui_checks", "check", ("title", "mandatory"), ("run",))
COMMANDS = Kind("octotui_commands", "command", (), ("main",))


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a plugin brings. ``thing`` has a name and whatever its kind demands."""

    identity: InstalledPlugin
    thing: Any


class Capabilities(Mapping[str, _Thing], Generic[_Thing]):
    """Things by the names that profiles use.

    A name that only one plugin offers is a key; where several do, none of them is taken, and each
    has the key ``DISTRIBUTION/NAME`` instead. That longer key finds every thing, also where the
    short one does, but is not listed then.
    """

    def __init__(self, offers: Iterable[Offer]) -> None:
        by_name = _by(offers, lambda offer: str(offer.thing.name))
        by_full_name = _by(offers, _full_name)
        self._all: dict[str, _Thing] = {
            key: group[0].thing for key, group in by_full_name.items() if len(group) == 1
        }
        self._listed: dict[str, _Thing] = {}
        for name, group in by_name.items():
            if len(group) == 1:
                self._listed[name] = group[0].thing
            else:
                full_names = (_full_name(offer) for offer in group)
                self._listed |= {key: self._all[key] for key in full_names if key in self._all}

    def __getitem__(self, key: str) -> _Thing:
        if key in self._listed:
            return self._listed[key]
        distribution, slash, name = key.rpartition("/")
        return self._all[normalised(distribution) + slash + name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def offers_of(plugin: LoadedPlugin, kind: Kind) -> tuple[list[Offer], list[PluginProblem]]:
    """What a plugin brings of a kind, and what is wrong with the rest of it."""
    offers: list[Offer] = []
    problems: list[PluginProblem] = []
    for call in plugin.callables(kind.hook):
        try:
            things = _listed(call())
        except Exception as error:
            problem = f"{kind.hook} failed: {described(error)}"
            problems.append(problem_of(plugin.identity, problem))
            continue
        for thing in things:
            if wrong := _what_is_wrong(thing, kind):
                problem = f"its {kind.title} {type(thing).__name__} cannot be used: {wrong}"
                problems.append(problem_of(plugin.identity, problem))
            else:
                offers.append(Offer(plugin.identity, thing))
    return offers, problems


def rivalries(kind: Kind, offers: Iterable[Offer], consequence: str) -> Iterator[PluginProblem]:
    """One problem for each name that several things have; it lists all of them."""
    for name, group in _by(offers, lambda offer: str(offer.thing.name)).items():
        if len(group) > 1:
            rivals = " and ".join(str(offer.identity) for offer in group)
            problem = f'more than one {kind.title} is called "{name}": {rivals}; {consequence}'
            yield problem_of(group[0].identity, problem)


def _listed(answer: object) -> list[Any]:
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError("it is a coroutine function, but is not awaited")
    if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes)):
        raise TypeError(f"it returned {type(answer).__name__} instead of a list")
    return list(answer)


def _what_is_wrong(thing: object, kind: Kind) -> str:
    """Why a thing is none of its kind; empty where it is. A property of it may raise anything."""
    try:
        name = getattr(thing, "name", None)
        if not isinstance(name, str) or not name or "/" in name:
            return "it has no name" if not name else f"its name {name!r} is no name"
        for attribute in kind.attributes:
            if not hasattr(thing, attribute):
                return f'"{name}" has no {attribute}'
        for method in kind.methods:
            if not callable(getattr(thing, method, None)):
                return f'"{name}" has no method {method}'
        if "settings" in kind.attributes and not _is_model(thing.settings):  # type: ignore[attr-defined]
            return f'the settings of "{name}" are no pydantic model'
    except Exception as error:
        return described(error)
    return ""


def _is_model(settings: object) -> bool:
    """Whether this is a pydantic model's class; told without importing pydantic."""
    return isinstance(settings, type) and hasattr(settings, "model_validate")


def _full_name(offer: Offer) -> str:
    return f"{normalised(offer.identity.distribution)}/{offer.thing.name}"


def _by(offers: Iterable[Offer], key: Any) -> dict[str, list[Offer]]:
    groups: dict[str, list[Offer]] = {}
    for offer in offers:
        groups.setdefault(key(offer), []).append(offer)
    return groups
