"""What is wrong with a profile, and where, as a person is told it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from octotui.api.errors import OctotuiError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    ``line`` and ``column`` count from 1, in characters; 0 where the file could not be read at all.
    ``path`` is the dotted place in the profile, empty for the file as a whole. ``source_line`` is
    the line as it may be shown: literal secrets are masked, so ``caret`` (the column to point at
    there, from 1) may be another than ``column``. ``suggestion`` is what was probably meant.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    source_line: str = ""
    caret: int = 1
    suggestion: str = ""

    def __str__(self) -> str:
        """One line: ``file:line:column: path: what is wrong``."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)

    def render(self) -> str:
        """The fault, then the source line with a caret below, then what was probably meant."""
        lines = [str(self)]
        if self.source_line:
            number = f"{self.line:>5} | "
            lines.append(number + self.source_line)
            lines.append(" " * (len(number) - 2) + "| " + " " * (self.caret - 1) + "^")
        if self.suggestion:
            lines.append(f'        did you mean "{self.suggestion}"?')
        return "\n".join(lines)


class ProfileFaults(OctotuiError):
    """A profile that cannot be used, with all that is wrong with it, in the file's order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        super().__init__(f"the profile has {count}")

    def render(self) -> str:
        """Every fault with its source line. Each begins at the start of a line."""
        return "\n".join(fault.render() for fault in self.faults)

    def __str__(self) -> str:
        return f"{self.what}:\n{self.render()}"
