"""What a profile needs of plugins: their names and their settings' models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from octotui.api.backup import BackupProvider
from octotui.api.source import SourceProvider
from octotui.api.transport import TransportProvider


class Providers(Protocol):
    """The installed capabilities by the names that profiles use; ``octotui.plugins`` has them.

    Where plugins share a name, it is no key: each has the key ``DISTRIBUTION/NAME`` instead.
    ``problems`` say in words which plugins could not be loaded.
    """

    @property
    def transports(self) -> Mapping[str, TransportProvider]: ...

    @property
    def sources(self) -> Mapping[str, SourceProvider]: ...

    @property
    def backups(self) -> Mapping[str, BackupProvider]: ...

    @property
    def problems(self) -> Sequence[object]: ...
