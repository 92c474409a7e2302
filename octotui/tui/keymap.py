"""A person's own settings of the screen: ``cockpit.toml`` in the folder of the configuration.

::

    theme = "octotui"
    mouse = false
    glance = false

    [keys]
    "run.hold" = "x"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from octotui.tui.commands import BY_ID
from octotui.tui.theme import OCTOTUI


@dataclass(frozen=True, slots=True)
class Settings:
    """``mouse`` None: by whether the terminal is remote. ``faults`` are sentences to show.

    ``glance``: whether home asks the profiles' clusters how they are.
    """

    theme: str = ""
    mouse: bool | None = None
    keys: dict[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    glance: bool = True


def settings_file() -> Path:
    return Path(user_config_path("octotui", appauthor=False)) / "cockpit.toml"


def read_settings(path: Path) -> Settings:
    """The settings of that file; the defaults without one. A fault is told, and changes nothing."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        return Settings(faults=(f"{path} cannot be read: {error}",))
    import tomllib  # most have no such file, and the first picture does without

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Settings(faults=(f"{path} cannot be read: {error}",))
    return _checked(path, data)


def _checked(path: Path, data: dict[str, Any]) -> Settings:
    faults = [
        f"{path}: there is no setting '{name}'"
        for name in data.keys() - {"theme", "mouse", "glance", "keys"}
    ]
    theme, mouse, keys = data.get("theme", ""), data.get("mouse"), data.get("keys", {})
    if not isinstance(theme, str):
        faults.append(f"{path}: theme has to be a text")
        theme = ""
    elif theme and not _is_theme(theme):
        faults.append(f"{path}: there is no theme '{theme}'; Theme in the palette (^p) lists them")
        theme = ""
    if mouse is not None and not isinstance(mouse, bool):
        faults.append(f"{path}: mouse has to be true or false")
        mouse = None
    glance = data.get("glance", True)
    if not isinstance(glance, bool):
        faults.append(f"{path}: glance has to be true or false; nobody is asked meanwhile")
        glance = False
    known = {}
    for name, key in keys.items() if isinstance(keys, dict) else ():
        if name not in BY_ID:
            faults.append(f"{path}: there is no command '{name}'")
        elif not isinstance(key, str) or not key:
            faults.append(f"{path}: the key of {name} has to be a text")
        else:
            known[name] = key
    if known:
        from octotui.tui.own_keys import usable  # most have no keys of their own

        known, unusable = usable(known)
        faults += [f"{path}: {fault}" for fault in unusable]
    return Settings(theme, mouse, known, tuple(sorted(faults)), glance)


def _is_theme(name: str) -> bool:
    from textual.theme import BUILTIN_THEMES

    return name in BUILTIN_THEMES or name == OCTOTUI.name
