"""``octotui glance``: version and health of every profile's cluster, now and without a secret."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from octotui.api.errors import OctotuiError
from octotui.cli.tether import tethered
from octotui.profile.find import find_profile, profile_files
from octotui.profile.plain import PlainProfile, read_plain

if TYPE_CHECKING:
    from octotui.octopus.glance import ClusterGlance, Onlooker

T = TypeVar("T")

#: The words for a health, where its reason does not say it all.
WORDS = {
    "partly": "online in part",
    "answers": "answers",
    "unreachable": "not reachable",
    "other": "not Octopus",
    "fault": "profile with faults",
}


@click.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
@click.option("--json", "as_json", is_flag=True, help="One object a line, as answers come.")
@tethered
def glance(profiles: Sequence[str], as_json: bool) -> None:
    """Version and health of the PROFILEs' clusters now; of every profile without one.

    No API key and no password is looked up or sent: only what Octopus tells everybody is asked,
    each question for three seconds at most.
    """
    targets = _targets(profiles)
    if not targets and not as_json:
        click.echo("No profile, neither in ./profiles nor in your own folder. Try: octotui demo")
    asyncio.run(_ask(targets, as_json))


def _targets(names: Sequence[str]) -> list[PlainProfile]:
    files = [find_profile(name) for name in names] if names else profile_files()
    return [read_plain(file) for file in files]


async def _ask(targets: Sequence[PlainProfile], as_json: bool) -> None:
    asyncio.get_running_loop().set_default_executor(_Lookups())
    width = max((len(target.path.stem) for target in targets), default=0)
    async for target, seen in _answers(targets):
        click.echo(json.dumps(_told(target, seen)) if as_json else _line(target, seen, width))


class _Lookups(ThreadPoolExecutor):
    """Looks each name up in a thread of its own, and nobody waits for that: also not the end.

    A resolver may take minutes to give one up, long after the question about it has.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        def look_up() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=look_up, daemon=True).start()
        return future


async def _answers(
    targets: Sequence[PlainProfile],
) -> AsyncIterator[tuple[PlainProfile, ClusterGlance | str]]:
    """As they come: a look, or why there can be none."""
    import httpx

    from octotui.octopus.connection import tls_context
    from octotui.octopus.glance import AT_ONCE, PATIENCE, Onlooker

    contexts: dict[Path | None, ssl.SSLContext] = {}
    limit = asyncio.Semaphore(AT_ONCE)

    async def look(target: PlainProfile) -> tuple[PlainProfile, ClusterGlance | str]:
        if target.fault:
            return target, target.fault
        try:
            if target.ca not in contexts:
                contexts[target.ca] = tls_context(target.ca)
        except OctotuiError as error:
            return target, error.what
        verify, timeout = contexts[target.ca], httpx.Timeout(PATIENCE)
        async with httpx.AsyncClient(verify=verify, timeout=timeout) as client:
            asker: Onlooker = Onlooker(client, limit)
            return target, await asker.look(target.url, target.nodes)

    for done in asyncio.as_completed([look(target) for target in targets]):
        yield await done


def _told(target: PlainProfile, seen: ClusterGlance | str) -> dict[str, Any]:
    if isinstance(seen, str):
        answer = {"health": "fault", "version": "", "reason": seen, "nodes": ()}
    else:
        answer = asdict(seen)
    return {"profile": str(target.path), "url": target.url, "asked": time.time(), **answer}


def _line(target: PlainProfile, seen: ClusterGlance | str, width: int) -> str:
    name = f"{target.path.stem:<{width}}"
    if isinstance(seen, str):
        return f"{name}  {WORDS['fault']}: {seen}"
    parts = [name, seen.version or "?", WORDS.get(seen.health, seen.health)]
    text = "  ".join(parts) + (f": {seen.reason}" if seen.reason else "")
    for node in seen.nodes:
        why = f": {node.reason}" if node.reason else ""
        text += f"\n  {node.name}  {node.version or '?'}  "
        text += f"{WORDS.get(node.health, node.health)}{why}"
    return text
