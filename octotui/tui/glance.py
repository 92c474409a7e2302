"""What `octotui glance` tells of the profiles' clusters: asked by a child process, kept here.

The screen itself asks nobody, and the child sends no secret.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from octotui.api.errors import OctotuiError
from octotui.tui import child

#: While home is on top everybody is asked again this long after the last answers, seconds.
PAUSE: Final = 30.0

#: So long without one more answer ends the child, seconds. However many profiles there are, the
#: next is answered after its own questions: 64 at a time, three seconds each at most.
LIMIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How a cluster or a node was when it was asked, at ``asked``, epoch seconds.

    ``version`` was told at ``told``: before that where the last answer told none.
    """

    name: str
    health: str
    version: str
    reason: str
    asked: float
    told: float
    nodes: tuple[Seen, ...] = ()

    @property
    def old(self) -> bool:
        """Whether the version is of an earlier answer."""
        return self.told < self.asked

    def after(self, before: Seen | None) -> Seen:
        """The same, with what the answer before told where this one tells nothing."""
        if before is None:
            return self
        known = {node.name: node for node in before.nodes}
        nodes = tuple(node.after(known.get(node.name)) for node in self.nodes) or tuple(
            replace(node, health="unknown", reason="", asked=self.asked) for node in before.nodes
        )
        if self.version or not before.version:
            return replace(self, nodes=nodes)
        return replace(self, nodes=nodes, version=before.version, told=before.told)


class Glances:
    """The last answers, by profile. ``failure``: why there are no newer ones."""

    def __init__(self) -> None:
        self.failure = ""
        self._seen: dict[Path, Seen] = {}

    def of(self, profile: Path) -> Seen | None:
        return self._seen.get(profile)

    def take(self, line: str, now: float) -> None:
        """Takes in a line of `octotui glance --json`, which came now. Raises OctotuiError."""
        try:
            told = json.loads(line)
            path = Path(told["profile"])
            seen = replace(
                _seen({**told, "name": path.stem}, now),
                nodes=tuple(_seen(node, now) for node in told["nodes"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise OctotuiError(f"octotui glance told something else: {error!r}") from None
        self._seen[path] = seen.after(self._seen.get(path))
        self.failure = ""


def _seen(told: dict[str, Any], now: float) -> Seen:
    return Seen(told["name"], told["health"], told["version"], told["reason"], now, now)


def answers() -> AsyncGenerator[str, None]:
    """Asks every profile's cluster once: a line each, as they come. Left early, it ends the child.

    Raises OctotuiError where it fails.
    """
    return child.lines("octotui glance", _command(), LIMIT)


def _command() -> list[str]:
    return child.own_command("glance", "--json")
