"""What a source is: where Octopus Server packages come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from octotui.api.secrets import Secrets

if TYPE_CHECKING:
    from pydantic import BaseModel

#: Called with bytes so far and the total, or None where the source does not say.
Progress: TypeAlias = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Release:
    """A version that the source offers. ``released`` is an ISO date, or empty where unknown."""

    version: str
    released: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """An Octopus Server MSI at its source.

    ``sha256`` is lower-case hex as the source publishes it, apart from the file, or empty where it
    does not; after ``Source.download`` it is the hash of the bytes that arrived. ``size`` in bytes.
    """

    version: str
    file_name: str
    url: str
    sha256: str = ""
    size: int | None = None


class Source(Protocol):
    """An open source. Every method raises SourceError."""

    async def releases(self) -> Sequence[Release]:
        """All versions on offer, in no particular order."""
        ...

    async def locate(self, version: str) -> Package:
        """The package of exactly that version."""
        ...

    async def download(self, package: Package, to: Path, progress: Progress) -> Package:
        """Streams the package to the file ``to``, hashing on the way.

        ``to`` appears whole or not at all. Raises SourceError where size or hash are not those the
        source publishes. Returns the package with the size and hash of what arrived.
        """
        ...

    async def close(self) -> None: ...


class SourceProvider(Protocol):
    """What a plugin returns from ``octotui_sources``."""

    #: The name that profiles use: ``source = "official"``, ``[sources.official]``.
    name: str
    settings: type[BaseModel]

    def open(self, settings: Any, secrets: Secrets) -> Source:
        """The source, ready for use. No I/O."""
        ...
