"""``octotui glance``: version and health of every profile's cluster, now and without a secret."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from octotui.api.errors import OctotuiError
from octotui.cli.tether import tethered

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


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a profile. ``fault``: why nothing can be asked. ``nodes``: name, address."""

    path: Path
    url: str = ""
    ca: Path | None = None
    nodes: tuple[tuple[str, str], ...] = ()
    fault: str = ""


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


def _targets(names: Sequence[str]) -> list[Target]:
    from octotui.profile.find import find_profile, profile_folders

    if names:
        return [target_of(find_profile(name)) for name in names]
    folders = [folder for folder in profile_folders() if folder.is_dir()]
    files = sorted((file for folder in folders for file in folder.glob("*.toml")), key=_by_name)
    return [target_of(file) for file in files]


def _by_name(path: Path) -> str:
    return path.stem


def target_of(path: Path) -> Target:
    """What that profile wants asked. Only its addresses are read: no plugin and no secret."""
    try:
        return _target(path, tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        return Target(path, fault=f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return Target(path, fault="it is no UTF-8 text")
    except ValueError as error:  # TOML's errors, too
        return Target(path, fault=str(error))


def _target(path: Path, data: dict[str, Any]) -> Target:
    octopus, listed = data.get("octopus"), data.get("nodes", [])
    if not isinstance(octopus, dict) or not isinstance(listed, list):
        raise ValueError("it needs a table [octopus] and one [[nodes]] for each host")
    ca = octopus.get("ca")
    nodes = []
    for node in listed:
        if not isinstance(node, dict) or not isinstance(node.get("name"), str):
            raise ValueError("every one of its [[nodes]] needs a name")
        own = node.get("url")
        nodes.append((node["name"], _address(own, f"nodes.{node['name']}.url") if own else ""))
    return Target(
        path,
        _address(octopus.get("url"), "octopus.url"),
        (path.parent / ca) if isinstance(ca, str) else None,
        tuple(nodes),
    )


def _address(value: object, key: str) -> str:
    """An address to ask. Never one with a password in it: it would be sent and shown."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:  # its own words repeat the address
        parts = None
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'{key} must be an address such as "https://octopus.example.com"')
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{key} must not carry a user name or password")
    return str(value).rstrip("/")


async def _ask(targets: Sequence[Target], as_json: bool) -> None:
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
    targets: Sequence[Target],
) -> AsyncIterator[tuple[Target, ClusterGlance | str]]:
    """As they come: a look, or why there can be none."""
    import httpx

    from octotui.octopus.connection import tls_context
    from octotui.octopus.glance import AT_ONCE, PATIENCE, Onlooker

    contexts: dict[Path | None, ssl.SSLContext] = {}
    limit = asyncio.Semaphore(AT_ONCE)

    async def look(target: Target) -> tuple[Target, ClusterGlance | str]:
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


def _told(target: Target, seen: ClusterGlance | str) -> dict[str, Any]:
    if isinstance(seen, str):
        answer = {"health": "fault", "version": "", "reason": seen, "nodes": ()}
    else:
        answer = asdict(seen)
    return {"profile": str(target.path), "url": target.url, "asked": time.time(), **answer}


def _line(target: Target, seen: ClusterGlance | str, width: int) -> str:
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
