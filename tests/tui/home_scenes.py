"""What the pictures of home show: a folder with profiles and runs, and clusters that answer."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

from textual.pilot import Pilot

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.screens.home import HomeScreen
from tests.cockpit_support import Recorded, enters, is_end
from tests.tui.scenes import COLOURFUL, tells

_DAY: Final = 86400.0

#: A profile: the first nodes of its cluster, and its run: journal, where it is cut off, whether it
#: works, how long ago it began.
_PROFILES: Final[dict[str, tuple[int, str, Callable[[dict[str, Any]], bool], bool, float]]] = {
    "prod-eu": (3, "held", tells("15 scripts"), True, 0.0),
    "prod-us": (3, "joining-failed", is_end, True, 1800.0),
    "stage": (2, "rolled-back", enters("nowhere"), False, 2 * _DAY),
    "lab": (1, "single", enters("nowhere"), False, 30 * _DAY),
}

_ANSWERS: Final = [
    ("prod-eu", "offline", "", ""),
    ("prod-us", "maintenance", "2025.4.10428", ""),
    ("stage", "online", "2025.2.13071", ""),
    ("lab", "online", "2025.4.10428", ""),
]


async def _answers() -> AsyncGenerator[str, None]:
    for name, health, version, reason in _ANSWERS:
        yield (
            json.dumps(
                {
                    "profile": f"profiles/{name}.toml",
                    "health": health,
                    "version": version,
                    "reason": reason,
                    "nodes": [],
                }
            )
            + "\n"
        )


@contextlib.contextmanager
def home(*, empty: bool) -> Iterator[Cockpit]:
    """The cockpit at home, in the folder that is the current one."""
    runs: list[Recorded] = []
    Path("profiles").mkdir()
    if not empty:
        for number, (name, (nodes, journal, until, alive, ago)) in enumerate(_PROFILES.items()):
            path = Path("profiles") / f"{name}.toml"
            lines = ["[octopus]", f'url = "https://{name}.octopus.example"']
            for n in range(nodes):
                lines += ["[[nodes]]", f'name = "OCTO{n + 1}"']
            path.write_text("\n".join(lines))
            runs.append(
                Recorded(
                    Path("state"),
                    journal,
                    until,
                    alive=alive,
                    run_id=f"2025100{9 - number}-085320-0001",
                    profile=str(path.resolve()),
                    ago=ago,
                )
            )
    now = runs[0].now if runs else lambda: 1_760_000_000.0
    with (
        mock.patch.dict(os.environ, OCTOTUI_STATE_DIR="state"),
        mock.patch("octotui.profile.find.profile_folders", return_value=(Path("profiles"),)),
        mock.patch("octotui.tui.glance.answers", _answers),
    ):
        yield Cockpit(now=now, environment=COLOURFUL, settings=Settings(mouse=False))
    for run in runs:
        run.close()


async def settle(pilot: Pilot[Any]) -> None:
    """Waits until the lists are there and every cluster has answered."""
    screen = pilot.app.screen
    assert isinstance(screen, HomeScreen)
    for _ in range(1000):
        await pilot.pause(0.02)
        pilot.app.tick()  # type: ignore[attr-defined]
        asked = screen._ask_due > 0 and not screen._asking
        if screen._filled and (asked or not screen._profiles):
            break
    await pilot.pause()
