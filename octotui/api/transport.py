"""What a transport is: how commands and files reach a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from octotui.api.secrets import Secrets

if TYPE_CHECKING:
    from pydantic import BaseModel, SecretStr

#: Called with pieces of output as they arrive, from the event loop's thread.
Output: TypeAlias = Callable[[Literal["stdout", "stderr"], bytes], None]


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended by itself. Bytes as the program wrote them."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account a connection uses, where it is one with a password."""

    username: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Which node to connect to: its name in the profile and its host name or address."""

    name: str
    host: str


class Transport(Protocol):
    """A connection to one node. Connects when first used; several calls may be under way at once.

    Every method raises one of ``octotui.api.errors``' transport errors, with the node's name in
    it. Cancelling a call ends the remote command where the protocol can.
    """

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        output: Output | None = None,
    ) -> Completed:
        """Runs a program with arguments and waits at most ``timeout`` seconds for its end."""
        ...

    async def upload(self, data: bytes, path: str) -> None:
        """Writes a small file (scripts, not packages) whole, replacing what is there."""
        ...

    async def download(self, path: str) -> bytes:
        """The bytes of a small file (logs). Raises FileMissing."""
        ...

    async def close(self) -> None:
        """Gives up the connection and all it holds on the node. May be called twice."""
        ...


class TransportProvider(Protocol):
    """What a plugin returns from ``octotui_transports``."""

    #: The name that profiles use: ``transport = "winrm"``, ``[transports.winrm]``.
    name: str
    #: Validates ``[transports.NAME]``, overlaid by the node's own ``[nodes.settings]``.
    settings: type[BaseModel]

    def connect(self, node: NodeAddress, settings: Any, secrets: Secrets) -> Transport:
        """A transport to that node. No I/O: connecting is the first call's business."""
        ...

    def unprotected(self, settings: Any) -> str:
        """What is not protected because the settings say so, such as a certificate that nobody

        checks; shown in every run. Empty where everything is.
        """
        ...

    def credentials(self, settings: Any, secrets: Secrets) -> Credentials | None:
        """The account with its password, for jobs that run as ``[jobs] run_as = "connection"``.

        None where there is no password (keys, Kerberos tickets): such profiles must name another
        ``run_as``. Raises SecretError.
        """
        ...
