"""Importing one plugin and finding out whether it is one, without harm to the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pluggy

from octotui.api.hooks import API_VERSION, OctotuiSpec
from octotui.plugins.discovery import Found, InstalledPlugin

#: Every hook there is, from the specification.
HOOKS = tuple(name for name in vars(OctotuiSpec) if name.startswith("octotui_"))


class PluginBroken(Exception):
    """A plugin that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin whose hooks can be called.

    It has a plugin manager of its own, so that whatever pluggy finds wrong is this plugin's.
    """

    identity: InstalledPlugin
    manager: pluggy.PluginManager

    def callables(self, hook: str, **arguments: object) -> list[Callable[[], Any]]:
        """The plugin's implementations of a hook, each ready to be called.

        An implementation may take fewer arguments than the specification has.
        """
        implementations = getattr(self.manager.hook, hook).get_hookimpls()
        return [
            _Call(each.function, [arguments.get(name) for name in each.argnames])
            for each in implementations
        ]


@dataclass(frozen=True, slots=True)
class _Call:
    function: Callable[..., Any]
    arguments: list[object]

    def __call__(self) -> Any:
        return self.function(*self.arguments)


def load_plugin(found: Found) -> LoadedPlugin:
    """Imports a plugin and checks it against the specification. Raises PluginBroken."""
    plugin = _imported(found)
    declared = getattr(plugin, "octotui_api", None)
    if declared is None:
        raise PluginBroken(
            f"it does not say which version of octotui's plugin API it was written for: "
            f"octotui_api = {API_VERSION} is missing"
        )
    if declared != API_VERSION:
        raise PluginBroken(
            f"it was written for version {declared!r} of octotui's plugin API, "
            f"this octotui has version {API_VERSION}"
        )
    manager = pluggy.PluginManager("octotui")
    manager.add_hookspecs(OctotuiSpec)
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginBroken(_validation_problem(manager, error)) from error
    except Exception as error:
        raise PluginBroken(described(error)) from error
    return LoadedPlugin(found.identity, manager)


def described(error: BaseException) -> str:
    """An exception as text; one whose own text fails has at least its kind."""
    try:
        text = str(error)
    except Exception:
        text = ""
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind


def _imported(found: Found) -> object:
    try:
        plugin = found.entry_point.load()
        return plugin() if inspect.isclass(plugin) else plugin
    except (Exception, SystemExit) as error:  # a script that exits when imported is broken, too
        raise PluginBroken(f"it cannot be imported: {described(error)}") from error


def _validation_problem(manager: pluggy.PluginManager, error: Exception) -> str:
    unknown = [
        name
        for name, caller in vars(manager.hook).items()
        if name.startswith("octotui_") and not caller.has_spec()
    ]
    if not unknown:
        return "it does not fit the specification: " + " ".join(str(error).split())
    names = []
    for name in unknown:
        close = get_close_matches(name, HOOKS, 1)
        names.append(name + (f" (did you mean {close[0]}?)" if close else ""))
    return f"there is no such hook: {', '.join(names)}"
