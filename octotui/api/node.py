"""What can be asked of a node, whatever transport reaches it.

octotui implements this over its agent and a transport.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

from octotui.api.facts import (
    FileProof,
    Job,
    LocalAnswer,
    NodeFacts,
    Parked,
    Services,
)

#: Kinds of jobs; parameters and results of each are listed in ``docs/agent.md``.
JobKind: TypeAlias = Literal[
    "stage",
    "stop",
    "start",
    "msi-install",
    "msi-uninstall",
    "database-state",
    "database-upgrade",
    "backup",
]


class NodeOperations(Protocol):
    """Operations on one node. All raise TransportError, or NodeError where the node says no."""

    name: str

    async def facts(self) -> NodeFacts:
        """Reads everything; changes nothing but octotui's own folder on the node."""
        ...

    async def services(self) -> Services:
        """The Octopus services and processes as they are now."""
        ...

    async def prove_file(self, path: str, sha256: str, signer: str) -> FileProof:
        """Hash, signature and signer of a staged file, on the node, now.

        ``signer`` is a certificate subject or ``same-as-installed``.
        """
        ...

    async def park(self) -> Parked:
        """Keeps everything from starting the services: start types disabled, watchdog disabled.

        What was found is written down on the node first. Parking a parked node changes nothing and
        answers what was found the first time.
        """
        ...

    async def unpark(self) -> Parked:
        """Puts start types and watchdog back as they were found. Harmless on an unparked node."""
        ...

    async def start_job(
        self,
        job_id: str,
        kind: JobKind,
        parameters: Mapping[str, Any],
    ) -> Job:
        """Starts a job, or attaches to the one of that id: a second start never starts twice."""
        ...

    async def job(self, job_id: str, *, offset: int = 0, wait: float = 0.0) -> Job:
        """A job's state and its output from ``offset``; waits up to ``wait`` seconds for news."""
        ...

    async def request(self, instance: str, path: str, api_key: str = "") -> LocalAnswer:
        """GET ``path`` on the instance's own listen prefix, from the node itself."""
        ...

    async def log(self, path: str, *, limit: int = 65536) -> str:
        """The last ``limit`` bytes of a log on the node, as text. Empty where there is none."""
        ...

    async def unstage(self, file_names: tuple[str, ...]) -> None:
        """Removes staged packages."""
        ...

    async def close(self) -> None: ...
