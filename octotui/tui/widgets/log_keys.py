"""The keys of the log view."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding


def _key(key: str, action: str, words: str, tooltip: str) -> Binding:
    name = f"log.{words.lower().replace(' ', '-')}"
    return Binding(key, action, words, show=False, id=name, tooltip=tooltip)


KEYS: Final = (
    _key("up,k", "move(-1)", "Up", "The line above; following stops"),
    _key("down,j", "move(1)", "Down", "The line below; after the last one, follow"),
    _key("pageup", "page(-1)", "Page up", "A page up; following stops"),
    _key("pagedown", "page(1)", "Page down", "A page down"),
    _key("home", "first", "First", "The oldest line"),
    _key("end", "follow", "Follow", "The newest line, and follow"),
    _key("left", "shift(-1)", "Left", "Half a screen to the left"),
    _key("right", "shift(1)", "Right", "Half a screen to the right"),
    _key("n", "next_hit", "Next hit", "The next line that was searched for"),
    _key("N", "previous_hit", "Previous hit", "The one before"),
    _key("e", "next_bad(1)", "Next error", "The next error or warning"),
    _key("E", "next_bad(-1)", "Previous error", "The error or warning before"),
    _key("w", "wrap", "Wrap", "Long lines in several rows, or cut"),
    _key("C", "context", "Context", "Three lines around each that the filter finds"),
    _key("v", "select", "Select", "Begin or give up a selection of lines"),
    _key("y", "copy", "Copy", "Copy the selection, or the line"),
    _key("ctrl+s", "save", "Save", "Save what is shown to a file"),
)
