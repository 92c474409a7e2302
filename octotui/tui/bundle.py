"""Making a support bundle from the screen: a child process, one at a time, and what came of it.

The screen itself reads no profile and asks no server. The child has no terminal: whatever it looks
up, nothing can ask for a password across the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory

if TYPE_CHECKING:
    from octotui.tui.app import Cockpit

#: A bundle has this long, in seconds: gigabytes of logs, and a server that is slow.
LIMIT = 300.0

#: A child that was told to end has this long to take its unfinished file away, in seconds.
_GRACE = 0.5

_GROUP = "bundle"

#: So many things that are missing are named; the bundle's own page has all, with the reasons.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was made. ``missing``: the names of what is not in it."""

    path: str
    size: int
    missing: tuple[str, ...]

    def words(self) -> str:
        """What a person has to know of it."""
        lines = [f"{self.path} ({self.size / 1000:,.0f} kB). The path is copied."]
        if self.missing:
            named = ", ".join(self.missing[:_NAMED])
            more = f" and {len(self.missing) - _NAMED} more" if self.missing[_NAMED:] else ""
            lines.append(f"Not in it: {named}{more}; README.txt in it says why.")
        return "\n".join([*lines, "Look through it before you hand it on."])


def begin(app: Cockpit, run: RunDirectory) -> None:
    """Starts making a bundle of that run, unless one is being made. What came of it is told."""
    if any(worker.group == _GROUP and not worker.is_finished for worker in app.workers):
        app.notify("A support bundle is being made already; you are told when it is there.")
        return
    app.notify("A support bundle is being made; you are told when it is there.")
    app.run_worker(_make(app, run), group=_GROUP)


async def _make(app: Cockpit, run: RunDirectory) -> None:
    try:
        made = await bundle_of(run)
    except OctotuiError as error:
        title = "No support bundle"
        app.notify(str(error), title=title, severity="error", timeout=15, markup=False)
    else:
        app.copy_to_clipboard(made.path)
        app.notify(made.words(), title="Support bundle", timeout=20, markup=False)


async def bundle_of(run: RunDirectory) -> Made:
    """Has a bundle made and returns where it is. Cancelled, it ends the child.

    Raises OctotuiError with the child's own words where there is none.
    """
    child = await asyncio.create_subprocess_exec(
        *_command(run),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output, said = await child.communicate()
    except TimeoutError:
        raise OctotuiError(
            f"it was not made within {LIMIT:.0f} s",
            next_step=f"Try 'octotui bundle {run.run_id}' in a terminal",
        ) from None
    finally:
        await _end(child)
    if child.returncode:
        words = said.decode(errors="replace").strip().removeprefix("octotui: ")
        raise OctotuiError(words or f"octotui bundle ended with {child.returncode}")
    return _read(json.loads(output))


def _command(run: RunDirectory) -> list[str]:
    return [sys.executable, "-m", "octotui", "bundle", run.run_id, "--json"]


def _read(told: dict[str, Any]) -> Made:
    return Made(told["path"], told["size"], tuple(each["what"] for each in told["missing"]))


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await child.wait()
    except TimeoutError:
        child.kill()
