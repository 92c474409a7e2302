"""Calling a plugin's function, which may be a coroutine function, within a time limit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

#: Seconds that a behaviour hook may take.
DEFAULT_LIMIT = 5.0

#: Seconds that a coroutine that was cancelled may take to end, before it is left alone.
_GRACE = 1.0


async def called(call: Callable[[], Any], limit: float) -> Any:
    """What the call answers, awaited where it must be.

    Raises what the plugin raises, and TimeoutError after ``limit`` seconds. A coroutine that does
    not end when it is cancelled cannot hold us up. Only what is awaited can be limited: a function
    that blocks stops the whole program while it does, and is told so by TimeoutError afterwards.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    answer = call()
    if not inspect.isawaitable(answer):
        taken = loop.time() - begun
        if taken > limit:
            raise TimeoutError(f"it blocked for {taken:.1f} s, and {limit:g} s are the limit")
        return answer
    task = asyncio.ensure_future(answer)
    task.add_done_callback(_noticed)
    try:
        await asyncio.wait({task}, timeout=limit)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)
            raise TimeoutError(f"no answer within {limit:g} s")
    finally:
        task.cancel()
    if task.cancelled():  # by the plugin itself: that must not cancel the run
        raise RuntimeError("it was cancelled by itself")
    return task.result()


def _noticed(task: asyncio.Future[Any]) -> None:
    """Looks at how a coroutine ended that nobody waits for any more, so that asyncio does not

    complain about it on the terminal.
    """
    if not task.cancelled():
        task.exception()
