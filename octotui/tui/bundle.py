"""Making a support bundle from the screen: a child process, one at a time, and what came of it.

The screen itself reads no profile and asks no server.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.tui import child

if TYPE_CHECKING:
    from octotui.tui.app import Cockpit

#: A bundle has this long, seconds: gigabytes of logs, and a server that is slow.
LIMIT = 300.0

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
    name, last = f"octotui bundle {run.run_id}", ""
    async with aclosing(child.lines(name, _command(run), LIMIT)) as lines:
        # What libraries print comes before the answer.
        async for line in lines:
            last = line.strip() or last
    try:
        told = json.loads(last)
        missing = tuple(str(each["what"]) for each in told["missing"])
        return Made(str(told["path"]), int(told["size"]), missing)
    except (ValueError, LookupError, TypeError):
        raise OctotuiError(
            f"{name} ended without saying where the bundle is", next_step="Try it in a terminal"
        ) from None


def _command(run: RunDirectory) -> list[str]:
    return child.own_command("bundle", run.run_id, "--json")
