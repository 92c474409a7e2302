"""How long WinRM is waited for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits in seconds."""

    #: For a TCP connection and its TLS.
    connect: float = 10
    #: A request for output that has none is answered after so long, and asked again.
    operation: int = 20
    #: A request that is not answered after so long never will be; must exceed ``operation``.
    read: int = 30
    #: Waits before each new connection, after one broke while a command was running.
    reconnect: tuple[float, ...] = (0, 1, 3)
    #: For ending a command that is not wanted any more, and for closing shells.
    farewell: float = 10


PATIENCE = Patience()
