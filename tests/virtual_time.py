"""An event loop whose time jumps: hours of waiting pass as fast as the code between them runs."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")

#: Wall-clock time at which every virtual run begins.
EPOCH = 1_760_000_000.0


#: Passes of the loop after which a test is given up: virtual time has no end of its own, and the
#: longest run takes some ten thousand.
MOST_PASSES = 500_000


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: where nothing is ready, the time that would have been waited has passed."""

    now = 0.0
    passes = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.passes += 1
        assert self.passes < MOST_PASSES, "something waits for ever without getting anywhere"
        ready = super().select(0)
        if ready or timeout is None or timeout <= 0:
            return ready if ready or timeout is not None else super().select(None)
        # A helper thread may be about to answer: let it, before time jumps over it.
        while self.threads_work():
            if ready := super().select(0.0005):
                return ready
            if not self.threads_work() and (ready := super().select(0)):
                return ready  # the last of them answered just now
        self.now += timeout
        return []

    def threads_work(self) -> bool:
        executor = getattr(self.loop, "_default_executor", None)
        return bool(executor) and executor._idle_semaphore._value < len(executor._threads)

    loop: Any = None


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.loop = self

    def time(self) -> float:
        return self._jumping.now


class VirtualClock:
    """The run's clock on the loop that runs now."""

    def time(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """Runs to the end on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
