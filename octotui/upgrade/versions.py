"""Octopus versions, year.minor.build, and which one a profile's ``to`` means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from octotui.api.errors import OctotuiError

_PATTERN = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,6})")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A released version. Early-access and branch builds have no place in an upgrade."""

    year: int
    minor: int
    build: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Raises ValueError for anything but three numbers."""
        match = _PATTERN.fullmatch(text.strip())
        if not match:
            raise ValueError(f"'{text}' is not an Octopus version such as 2025.2.13071")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.year}.{self.minor}.{self.build}"


_WITHIN: dict[str, Callable[[Version, Version], bool]] = {
    "latest": lambda offered, current: True,
    "latest-minor": lambda offered, current: offered.year == current.year,
    "latest-patch": lambda offered, current: (
        (offered.year, offered.minor) == (current.year, current.minor)
    ),
}


def is_version(text: str) -> bool:
    return _PATTERN.fullmatch(text.strip()) is not None


def choose(wanted: str, installed: str, offered: Iterable[str]) -> str:
    """The version to install: ``latest``, ``latest-minor``, ``latest-patch`` or an exact one.

    ``latest-patch`` stays within year.minor, ``latest-minor`` within the year. Raises OctotuiError
    where there is nothing newer, or an exact version is not on offer.
    """
    current = Version.parse(installed)
    versions = sorted({Version.parse(v) for v in offered if is_version(v)})
    if is_version(wanted):
        exact = Version.parse(wanted)
        if exact not in versions:
            nearest = ", ".join(str(v) for v in versions[-3:]) or "nothing"
            raise OctotuiError(
                f"version {exact} is not offered by the source",
                meaning=f"The newest on offer: {nearest}",
                next_step="Correct [upgrade] to, or --to",
            )
        return str(exact)
    if wanted not in _WITHIN:
        raise OctotuiError(
            f"'{wanted}' is neither a version nor latest, latest-minor or latest-patch",
            next_step="Correct [upgrade] to, or --to",
        )
    within = _WITHIN[wanted]
    candidates = [v for v in versions if within(v, current) and v > current]
    if not candidates:
        raise OctotuiError(
            f"there is nothing newer than {current} to install by '{wanted}'",
            next_step="Nothing needs doing, or choose another [upgrade] to, or --to",
        )
    return str(candidates[-1])
