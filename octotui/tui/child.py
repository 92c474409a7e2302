"""One of octotui's own commands as a child process: its lines, its limit and its end.

It has no terminal, so whatever it looks up, nothing can ask for a password across the screen. The
screen holds its standard input, and it ends with that: also where the screen is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from octotui.api.errors import OctotuiError

#: A child that was told to end has this long to take its unfinished files away, seconds.
GRACE: Final = 0.5

#: A longer line is none of ours, bytes: of a cluster of hundreds of nodes it is shorter.
_LONGEST: Final = 1 << 20

#: So much of a child's last words is kept, bytes.
_LAST_WORDS: Final = 4096


def own_command(*arguments: str) -> list[str]:
    """The command line of one of octotui's own commands, as a child."""
    return [sys.executable, "-m", "octotui", *arguments, "--tethered"]


async def lines(name: str, command: Sequence[str], limit: float) -> AsyncGenerator[str, None]:
    """Starts the command and tells what it prints, line by line. Left early, it ends the child.

    ``limit``: so many seconds without a line end it, too. Raises OctotuiError where it cannot be
    started, says nothing for that long or fails: with its own words, or with its ``name``.
    """
    child = await _start(name, command)
    assert child.stdout is not None
    assert child.stderr is not None
    said = asyncio.create_task(_last_of(child.stderr))
    try:
        while line := await _next_line(name, child.stdout, limit):
            yield line.decode(errors="replace")
        await _ended(name, child, limit)
        if child.returncode:
            await asyncio.wait([said], timeout=GRACE)
            raise _failed(name, child.returncode, said.result() if said.done() else b"")
    finally:
        try:
            said.cancel()
            await asyncio.wait([said])
        finally:
            await _end(child)


async def _start(name: str, command: Sequence[str]) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            limit=_LONGEST,
        )
    except OSError as error:
        raise OctotuiError(
            f"{name} cannot be started: {error.strerror or error}",
            next_step="Look at this machine's free memory and processes, then try again",
        ) from error


async def _next_line(name: str, output: asyncio.StreamReader, limit: float) -> bytes:
    try:
        async with asyncio.timeout(limit):
            return await output.readline()
    except TimeoutError:
        raise _silent(name, limit) from None
    except ValueError:
        raise OctotuiError(f"{name} told something else: a line without an end") from None


async def _ended(name: str, child: Process, limit: float) -> None:
    try:
        async with asyncio.timeout(limit):
            await child.wait()
    except TimeoutError:
        raise _silent(name, limit) from None


async def _last_of(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while more := await stream.read(_LAST_WORDS):
        kept = (kept + more)[-_LAST_WORDS:]
    return kept


def _silent(name: str, limit: float) -> OctotuiError:
    return OctotuiError(
        f"{name} said nothing for {limit:.0f} s and was ended", next_step="Try it in a terminal"
    )


def _failed(name: str, code: int, said: bytes) -> OctotuiError:
    text = said.decode(errors="replace").strip()
    _, ours, words = f"\n{text}".rpartition("\noctotui: ")
    if ours:
        return OctotuiError(words)
    last = text.rpartition("\n")[2]
    return OctotuiError(
        f"{name} ended with {code}" + (f": {last}" if last else ""),
        next_step="Try it in a terminal",
    )


async def _end(child: Process) -> None:
    try:
        for end in (child.terminate, child.kill):
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await child.communicate()  # pipes are closed only when they are read to the end
                    return
    finally:
        # Also where nobody waits any longer, as at the end of the application: asyncio would try it
        # when the loop is closed. There is no public way to do it.
        child._transport.close()  # type: ignore[attr-defined]
