"""A profile as plain TOML: its addresses and the names of its nodes, without plugins or secrets."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class PlainProfile:
    """What can be read of a profile without validating it. ``nodes``: name, own address or "".

    ``fault``: why nothing can be; then nothing else is set.
    """

    path: Path
    url: str = ""
    ca: Path | None = None
    nodes: tuple[tuple[str, str], ...] = ()
    fault: str = ""


def read_plain(path: Path) -> PlainProfile:
    """Reads a profile's addresses. It never fails, and never hands on one with a password in it."""
    try:
        return _plain(path, tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        return PlainProfile(path, fault=f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return PlainProfile(path, fault="it is no UTF-8 text")
    except RecursionError:
        return PlainProfile(path, fault="its values are nested too deeply")
    except ValueError as error:  # TOML's errors, too
        return PlainProfile(path, fault=str(error))


def _plain(path: Path, data: dict[str, Any]) -> PlainProfile:
    octopus, listed = data.get("octopus"), data.get("nodes", [])
    if not isinstance(octopus, dict) or not isinstance(listed, list):
        raise ValueError("it needs a table [octopus] and one [[nodes]] for each host")
    ca = octopus.get("ca")
    return PlainProfile(
        path,
        _address(octopus.get("url"), "octopus.url"),
        (path.parent / ca) if isinstance(ca, str) else None,
        tuple(_node(node) for node in listed),
    )


def _node(node: object) -> tuple[str, str]:
    if not isinstance(node, dict) or not isinstance(node.get("name"), str):
        raise ValueError("every one of its [[nodes]] needs a name")
    own = node.get("url")
    return node["name"], _address(own, f"nodes.{node['name']}.url") if own else ""


def _address(value: object, key: str) -> str:
    """An address to ask. Never one with a password in it: it would be sent and shown."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:  # its own words repeat the address
        parts = None
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'{key} must be an address such as "https://octopus.example.com"')
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{key} must not carry a user name or password")
    return str(value).rstrip("/")
