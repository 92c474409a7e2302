"""Trying again what only failed because of the connection. Reading does no harm when repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from octotui.api.errors import SourceError
from octotui_downloads.failures import Interrupted

ATTEMPTS = 4

Got = TypeVar("Got")


async def persistently(work: Callable[[], Awaitable[Got]]) -> Got:
    """Does it, up to ``ATTEMPTS`` times while it raises Interrupted, with growing pauses."""
    tried = 0
    try:
        async for attempt in stamina.retry_context(
            on=Interrupted, attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=8.0
        ):
            with attempt:
                tried = attempt.num
                return await work()
    except Interrupted as error:
        raise SourceError(
            f"{error.what} (tried {tried} times)",
            meaning=error.meaning,
            left=error.left,
            next_step=error.next_step,
        ) from None
    raise AssertionError("an attempt returns or raises")
