"""Patience with nodes that are out of reach for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from octotui.api.errors import ConnectionLost, TimedOut, Unreachable
from octotui.run.ledger import Ledger
from octotui.upgrade.steps.base import Clock

T = TypeVar("T")

#: A node out of reach for longer than this fails what needs it while all serve; seconds.
PATIENCE = 120.0

#: The same from the first stop on, when giving up makes an outage longer than a node's restart
#: does: as long as a job may be silent; seconds.
PATIENCE_IN_OUTAGE = 1800.0

#: Between two tries; seconds.
PAUSE = 5.0


def patience_of(ledger: Ledger) -> float:
    """How long a run waits for a node that is out of reach, by how far it has come; seconds."""
    stops = any(step.startswith("stopping.") for step in ledger.begun)
    return PATIENCE_IN_OUTAGE if stops else PATIENCE


async def patiently(
    clock: Clock,
    ask: Callable[[], Awaitable[T]],
    waiting: Callable[[str], None],
    patience: float = PATIENCE,
) -> T:
    """What ``ask`` answers, asked again while its node is out of reach.

    Only for what may be repeated: looking, and the steps, which find their jobs again by id.
    ``waiting`` takes the reason. Raises what ``ask`` raises once ``patience`` seconds are over.
    """
    lost_since = failed_at = float("-inf")
    while True:
        try:
            return await ask()
        except (Unreachable, ConnectionLost, TimedOut) as error:
            now = clock.time()
            if now - failed_at > PATIENCE:  # all was well in between
                lost_since = now
            failed_at = now
            if now - lost_since >= patience:
                raise
            waiting(f"{error.node or 'a node'} is out of reach: {error.what}")
            await clock.sleep(PAUSE)
