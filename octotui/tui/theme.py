"""Colours. Every state is told by glyph and word as well: colours only help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.theme import Theme

#: Also for those who cannot tell red from green: done is blue-green, failed orange-red, and both
#: differ in brightness.
OCTOTUI: Final = Theme(
    name="octotui",
    primary="#4aa3df",
    secondary="#7aa2c4",
    accent="#6cc5ff",
    success="#5fd0b0",
    warning="#e8c35a",
    error="#ff7a59",
    foreground="#d6dee6",
    background="#0f151b",
    surface="#141c24",
    panel="#1c2732",
    dark=True,
)

#: Terminals below 256 colours, and people who want none: the terminal's own colours.
PLAIN_THEME: Final = "ansi-dark"


def theme_for(environment: Mapping[str, str], wanted: str) -> str:
    """The theme's name: what a person wants, unless the terminal has too few colours for it.

    NO_COLOR leaves greys in every theme but those that use the terminal's own colours.
    """
    if environment.get("NO_COLOR"):
        return PLAIN_THEME
    many = environment.get("COLORTERM") in ("truecolor", "24bit") or "256color" in environment.get(
        "TERM", ""
    )
    if not many:
        return PLAIN_THEME
    return wanted or environment.get("TEXTUAL_THEME", "") or OCTOTUI.name
