"""Which versions of what made a bundle, without importing a plugin."""

from __future__ import annotations

import platform
import re
import sqlite3
import ssl
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import octotui
from octotui.plugins.discovery import discover


def versions() -> dict[str, Any]:
    """octotui, Python, the system, plugins and the libraries they stand on, as JSON values."""
    plugins, problems = discover()
    return {
        "octotui": octotui.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
        "plugins": [
            {
                "plugin": found.identity.plugin,
                "distribution": found.identity.distribution,
                "version": found.identity.version,
            }
            for found in plugins
        ],
        "plugin_problems": [str(problem) for problem in problems],
        "libraries": _libraries(),
    }


def _libraries() -> dict[str, str]:
    try:
        wanted = requires("octotui") or []
    except PackageNotFoundError:
        return {}
    found = {}
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)
        try:
            if name is not None:
                found[name[0]] = version(name[0])
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found
