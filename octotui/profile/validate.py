"""TOML data to a Profile: octotui's own sections, the plugins' sections, and what ties them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from octotui.profile.checking import Checking, Where
from octotui.profile.faults import ProfileFaults
from octotui.profile.locate import KeyPath
from octotui.profile.messages import closest, unknown_name
from octotui.profile.models import NodeSection, ProfileFile
from octotui.profile.profile import Chosen, Node, Profile
from octotui.profile.providers import Providers
from octotui.profile.references import secret_names
from octotui.profile.text import ProfileText

_Model = TypeVar("_Model", bound=BaseModel)


def validate(path: Path, text: ProfileText, data: dict[str, Any], providers: Providers) -> Profile:
    """The profile. Raises ProfileFaults with everything that is wrong."""
    every: list[type[BaseModel]] = [
        ProfileFile,
        *(p.settings for p in providers.transports.values()),
        *(p.settings for p in providers.sources.values()),
        *(p.settings for p in providers.backups.values()),
    ]
    text.hide(name for model in every for name in secret_names(model))
    checking = Checking(text)
    file = checking.validated(ProfileFile, data, Where())
    sections = _PluginSections(checking, data, providers)
    source = sections.source()
    backup = sections.backup()
    transports = [sections.transport(index) for index in range(len(sections.nodes))]
    sections.unused()
    _check_nodes(checking, sections)
    _check_urls(checking, data, sections.nodes)
    _check_first(checking, data, sections.nodes)
    folder = path.parent.absolute()
    if file:
        _check_files(checking, file, folder)
    if checking.faults or not file or not source or not backup:
        raise ProfileFaults(checking.faults)
    chosen = [transport for transport in transports if transport]
    return Profile(
        path=path.absolute(),
        octopus=_absolute(file.octopus, folder),
        upgrade=file.upgrade,
        package=file.package,
        jobs=file.jobs,
        nodes=tuple(
            _node(section, _settled(transport, folder))
            for section, transport in zip(file.nodes, chosen, strict=True)
        ),
        source=_settled(source, folder),
        backup=_settled(backup, folder),
        smoke=file.smoke,
    )


class _PluginSections:
    """The parts of a profile that plugins validate. Data of the wrong shape is passed over:

    octotui's own models have said so already.
    """

    def __init__(self, checking: Checking, data: Mapping[str, Any], providers: Providers) -> None:
        self._checking = checking
        self._data = data
        self._providers = providers
        nodes = data.get("nodes")
        self.nodes: list[Any] = nodes if isinstance(nodes, list) else []
        self._used: set[KeyPath] = set()

    def merged(self, index: int) -> tuple[str, dict[str, Any]]:
        """A node's transport and its settings: the defaults overlaid by the node's own."""
        node = _table(self.nodes[index])
        name = node.get("transport", "winrm")
        name = name if isinstance(name, str) else ""
        defaults = _table(_table(self._data.get("transports")).get(name))
        return name, {**defaults, **_table(node.get("settings"))}

    def transport(self, index: int) -> Chosen | None:
        node = _table(self.nodes[index])
        if not isinstance(node.get("transport", ""), str):
            return None
        name, settings = self.merged(index)
        written = ("nodes", index, "transport")
        where = Where(
            base=("transports", name),
            overlay=("nodes", index, "settings"),
            overlaid=frozenset(_table(node.get("settings"))),
            otherwise=written,
        )
        return self._choice("transport", name, self._providers.transports, settings, where, written)

    def source(self) -> Chosen | None:
        name = _table(self._data.get("upgrade")).get("source", "official")
        if not isinstance(name, str):
            return None
        settings = _table(_table(self._data.get("sources")).get(name))
        written: KeyPath = ("upgrade", "source")
        where = Where(base=("sources", name), otherwise=written)
        return self._choice("source", name, self._providers.sources, settings, where, written)

    def backup(self) -> Chosen | None:
        section = self._data.get("backup")
        if not isinstance(section, dict):
            return None
        kinds = self._providers.backups
        if not isinstance(section.get("kind"), str):
            listed = ", ".join(f'"{kind}"' for kind in sorted(kinds)) or "none is installed"
            wrong = "must be text in quotes" if "kind" in section else "is missing"
            self._checking.point(("backup", "kind"), f"{wrong}; available: {listed}")
            return None
        settings = {key: value for key, value in section.items() if key != "kind"}
        written: KeyPath = ("backup", "kind")
        where = Where(base=("backup",))
        return self._choice("backup", section["kind"], kinds, settings, where, written)

    def unused(self) -> None:
        """Sections that no node and no upgrade uses now: no typing errors wait there for later."""
        groups: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
            ("transports", "transport", self._providers.transports),
            ("sources", "source", self._providers.sources),
        )
        for group, what, providers in groups:
            for name, settings in _table(self._data.get(group)).items():
                path: KeyPath = (group, name)
                if path in self._used or not isinstance(settings, dict):
                    continue
                if name in providers:
                    model = providers[name].settings
                    self._checking.validated(model, settings, Where(base=path), complete=False)
                else:
                    self._unknown(what, name, providers, path, at_key=True)

    def _choice(
        self,
        what: str,
        name: str,
        providers: Mapping[str, Any],
        settings: dict[str, Any],
        where: Where,
        written: KeyPath,
    ) -> Chosen | None:
        self._used.add(where.base)
        if name not in providers:
            self._unknown(what, name, providers, written)
            return None
        validated = self._checking.validated(providers[name].settings, settings, where)
        return Chosen(name, validated) if validated else None

    def _unknown(
        self,
        what: str,
        name: str,
        providers: Mapping[str, Any],
        path: KeyPath,
        at_key: bool = False,
    ) -> None:
        message, suggestion = unknown_name(what, name, providers, self._providers.problems)
        self._checking.point(path, message, suggestion, at_key=at_key)


def _check_nodes(checking: Checking, sections: _PluginSections) -> None:
    """No node twice: neither its name nor its host under the same transport settings."""
    names: dict[str, int] = {}
    hosts: list[tuple[str, tuple[str, dict[str, Any]], int]] = []
    for index, raw in enumerate(sections.nodes):
        node = _table(raw)
        name, host = node.get("name"), node.get("host")
        if isinstance(name, str):
            # Windows does not tell names apart by case.
            first = names.setdefault(name.casefold(), index)
            if first != index:
                line = checking.line_of(("nodes", first, "name"))
                message = f'"{name}" is the name of two nodes, the other is on line {line}'
                checking.point(("nodes", index, "name"), message)
        if isinstance(host, str):
            way = sections.merged(index)
            for other, other_way, first in hosts:
                if other == host.casefold() and other_way == way:
                    line = checking.line_of(("nodes", first, "host"))
                    message = f'"{host}" is the host of two nodes, the other is on line {line}'
                    checking.point(("nodes", index, "host"), message)
                    break
            hosts.append((host.casefold(), way, index))


def _check_urls(checking: Checking, data: Mapping[str, Any], nodes: list[Any]) -> None:
    """Each node's url its own: another node that answers there would pass for it."""
    shared = _address(_table(data.get("octopus")).get("url"))
    known: dict[str, int] = {}
    for index, raw in enumerate(nodes):
        address = _address(_table(raw).get("url"))
        path = ("nodes", index, "url")
        if not address:
            continue
        first = known.setdefault(address, index)
        if first != index:
            line = checking.line_of(("nodes", first, "url"))
            message = f"this is the address of two nodes, the other is on line {line}"
            checking.point(path, message)
        elif address == shared and len(nodes) > 1:
            message = "this is [octopus] url, where any node may answer; leave it out, or write "
            checking.point(path, message + "the node's own")


def _address(url: object) -> str:
    """An address in the one way to write it; empty where it is none."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"


def _check_first(checking: Checking, data: Mapping[str, Any], nodes: list[Any]) -> None:
    first = _table(data.get("upgrade")).get("first")
    names = [n for node in nodes if isinstance(n := _table(node).get("name"), str)]
    if isinstance(first, str) and names and first not in names:
        message = f'there is no node "{first}"; nodes: {", ".join(names)}'
        checking.point(("upgrade", "first"), message, closest(first, names))


def _check_files(checking: Checking, file: ProfileFile, folder: Path) -> None:
    ca = file.octopus.ca
    if ca is not None and not _is_file(folder / ca):
        checking.point(("octopus", "ca"), f"there is no file {folder / ca}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def _node(section: NodeSection, transport: Chosen) -> Node:
    return Node(section.name, section.host, section.instance, section.url or "", transport)


def _settled(chosen: Chosen, folder: Path) -> Chosen:
    return Chosen(chosen.name, _absolute(chosen.settings, folder))


def _absolute(model: _Model, folder: Path) -> _Model:
    """The settings with every path absolute: a relative one is relative to the profile."""
    changed: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Path) and not value.is_absolute():
            changed[name] = folder / value
        elif isinstance(value, BaseModel):
            changed[name] = _absolute(value, folder)
    return model.model_copy(update=changed) if changed else model


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
