"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from octotui.api.hooks import OctotuiSpec
from octotui.run.control import COMMANDS
from octotui.upgrade.phases import HOLDABLE


def test_every_hook_has_a_heading_with_its_signature(repository: Path) -> None:
    text = (repository / "docs" / "plugins.md").read_text()
    headings = set(re.findall(r"^### `(octotui_\w+)(\(.*)`$", text, re.MULTILINE))
    hooks = {
        (
            name,
            str(inspect.signature(hook)).replace("'", "").replace("click.Command", "click.Command"),
        )
        for name, hook in vars(OctotuiSpec).items()
        if name.startswith("octotui_")
    }
    assert headings == hooks


def test_every_kind_of_event_is_documented(repository: Path) -> None:
    text = (repository / "docs" / "events.md").read_text()
    documented = set(re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE))
    sources = "".join(p.read_text() for p in (repository / "octotui" / "run").rglob("*.py"))
    appended = set(re.findall(r'"((?:run|step|facts|node|phase|plugin)\.[a-z-]+)"', sources))
    appended -= {"run.db", "run.log", "node.py"}
    appended |= {"finding", "plan", "state", "command"}
    assert documented == appended


def test_the_profile_may_hold_exactly_the_phases_that_can_be_held() -> None:
    from octotui.profile.models import HOLDABLE_PHASES

    assert HOLDABLE_PHASES == HOLDABLE


def test_control_commands_are_explained() -> None:
    assert all(command.does for command in COMMANDS)
