"""What a backup plugin is: how the Octopus database is saved, and proved to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from octotui.api.node import NodeOperations
from octotui.api.secrets import Secrets

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class BackupEvidence:
    """A finished backup. ``verified`` says how it was proved; empty means that it was not.

    ``started`` and ``finished`` are epoch seconds by the clock of whoever made it.
    """

    name: str
    database: str
    started: float
    finished: float
    verified: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class BackupRequest:
    """All that a backup needs to know.

    ``attempt_id`` is new for each attempt and the same when an interrupted attempt is taken up
    again, so that work on a node is attached to and not repeated. ``first_node`` runs the database
    upgrade and can reach the database; ``instance`` is the Octopus instance there. ``output`` takes
    lines for the log.
    """

    attempt_id: str
    first_node: NodeOperations
    instance: str
    nodes: Mapping[str, NodeOperations]
    output: Callable[[str], None]


class Backup(Protocol):
    async def begin(self, request: BackupRequest) -> None:
        """Starts the backup, where it is one that goes on by itself.

        Returns when it needs no program of Octopus on the first node any more: an installer
        replaces them next, beside the backup. A backup that needs none may do nothing here.
        Raises BackupError.
        """
        ...

    async def take(self, request: BackupRequest) -> BackupEvidence:
        """Makes a full backup that leaves the customer's own chain alone, and verifies it.

        The one that ``begin`` started under the same ``attempt_id`` is carried to its end.

        Raises BackupError; a backup that could not be verified is an error.
        """
        ...


class BackupProvider(Protocol):
    """What a plugin returns from ``octotui_backups``."""

    #: The name that profiles use: ``[backup] kind = "node"``.
    name: str
    #: Validates ``[backup]`` without ``kind``.
    settings: type[BaseModel]

    def open(self, settings: Any, secrets: Secrets) -> Backup:
        """No I/O."""
        ...
