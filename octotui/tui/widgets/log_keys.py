"""The keys of the log view."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding


def _key(key: str, action: str, words: str, tooltip: str, show: bool = False) -> Binding:
    """``show``: it is told in the line of keys while the log has the focus."""
    name = f"log.{words.replace(' ', '-')}"
    return Binding(key, action, words, show=show, id=name, tooltip=tooltip)


KEYS: Final = (
    _key("up,k", "move(-1)", "up", "The line above; following stops"),
    _key("down,j", "move(1)", "down", "The line below; after the last one, follow"),
    _key("pageup", "page(-1)", "page up", "A page up; following stops"),
    _key("pagedown", "page(1)", "page down", "A page down"),
    _key("home", "first", "first", "The oldest line"),
    _key("end", "follow", "follow", "The newest line, and follow", True),
    _key("left", "shift(-1)", "left", "Half a screen to the left"),
    _key("right", "shift(1)", "right", "Half a screen to the right"),
    _key("n", "next_hit", "next hit", "The next line that was searched for", True),
    _key("N", "previous_hit", "previous hit", "The one before"),
    _key("e", "next_bad(1)", "next error", "The next error or warning", True),
    _key("E", "next_bad(-1)", "previous error", "The error or warning before"),
    _key("w", "wrap", "wrap", "Long lines in several rows, or cut", True),
    _key("C", "context", "context", "Three lines around each that the filter finds"),
    _key("v", "select", "select", "Begin or give up a selection of lines", True),
    _key("y", "copy", "copy", "Copy the selection, or the line"),
    _key("ctrl+s", "save", "save", "Save what is shown to a file"),
)
