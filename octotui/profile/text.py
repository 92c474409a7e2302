"""A profile's text as it may be shown: places of faults, with literal secrets masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from octotui.profile.faults import Fault
from octotui.profile.locate import KeyPath, Places
from octotui.profile.references import TELLING, is_reference, sounds_secret

MASK = "***"

#: A source line is shown in a window of this many characters around the place of the fault.
_WINDOW = 100

#: Shorter secrets are not looked for in messages: every other word would be masked.
_SHORTEST = 4

#: User name and password within an address.
_USER_INFO = re.compile(r"(?<=://)[^/\s\"']+(?=@)")


class ProfileText:
    """Makes faults for places in one profile.

    ``secret_names`` are names of keys that hold secrets; see ``hide``.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.places = Places(text)
        self._masks: list[tuple[int, int]] = []
        self._secrets: set[str] = set()
        self.hide(())

    def hide(self, secret_names: Iterable[str]) -> None:
        """Masks every value below a key of such a name, unless it is a reference."""
        names = sorted({name.lower() for name in secret_names})
        spans = [match.span() for match in _USER_INFO.finditer(self.text)]
        for entry in self.places.entries:
            literal = self.text[entry.value : entry.end].rstrip()
            if entry.is_header or not literal or not sounds_secret(entry.path, names):
                continue
            quoted = len(literal) > 1 and literal[0] in "\"'" and literal[-1] == literal[0]
            if not (quoted and is_reference(literal[1:-1])):
                spans.append((entry.value, entry.value + len(literal)))
        if self.places.stopped is not None:
            # What is no TOML may be a secret that somebody did not know how to write down.
            start, end = self.places.line(self.places.position(self.places.stopped)[0])
            telling = TELLING.search(self.text, start, end)
            if telling and not any(first < end <= last for first, last in spans):
                spans.append((telling.end(), end))
        self._secrets = {self.text[start:end].strip("\"'") for start, end in spans}
        self._masks = _merged(spans)

    def masked(self, message: str) -> str:
        """A message without the secrets that the text holds."""
        for secret in self._secrets:
            if len(secret) >= _SHORTEST:
                message = message.replace(secret, MASK)
        return message

    def at(self, offset: int, path: KeyPath, message: str, suggestion: str = "") -> Fault:
        """A fault at an offset of the text."""
        line, column = self.places.position(offset)
        source_line, caret = self._shown(line, offset)
        return Fault(
            file=self.file,
            line=line,
            column=column,
            path=printable(dotted(path)),
            message=printable(message),
            source_line=source_line,
            caret=caret,
            suggestion=printable(suggestion),
        )

    def at_key(self, path: KeyPath, message: str, suggestion: str = "") -> Fault:
        return self.at(self.places.key(path), path, message, suggestion)

    def at_value(self, path: KeyPath, message: str, suggestion: str = "") -> Fault:
        return self.at(self.places.value(path), path, message, suggestion)

    def missing(self, path: KeyPath, message: str, suggestion: str = "") -> Fault:
        """A fault of something that is not there, at the table where it should be."""
        fault = self.at(self.places.value(path[:-1]), path, message, suggestion)
        around = any(path[:length] in self.places for length in range(1, len(path)))
        return fault if around else replace(fault, source_line="")

    def _shown(self, line: int, offset: int) -> tuple[str, int]:
        """The line with its secrets masked, and the column in it that stands for the offset."""
        start, end = self.places.line(line)
        offset = next((max(a, start) for a, b in self._masks if a <= offset < b), offset)
        caret = len(self._collapsed(start, offset))
        shown = printable(self._collapsed(start, end))
        if len(shown) > _WINDOW:
            first = max(0, min(caret - _WINDOW // 2, len(shown) - _WINDOW))
            shown, caret = shown[first : first + _WINDOW], caret - first
        return shown, caret + 1

    def _collapsed(self, start: int, end: int) -> str:
        """The text between two offsets, with a mark in place of every secret."""
        shown = ""
        for mask_start, mask_end in self._masks:
            if mask_end > start and mask_start < end:
                shown += self.text[start:mask_start] + MASK
                start = mask_end
        return shown + self.text[start:end]


def dotted(path: KeyPath) -> str:
    """A path as people write it: ``nodes[0].settings.port``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + part
    return text


def printable(text: str) -> str:
    """Text that cannot move a terminal's cursor; tabs become single spaces."""
    return "".join(
        c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
