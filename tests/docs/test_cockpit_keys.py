"""The page about the full screen lists the keys that there are."""

from __future__ import annotations

from pathlib import Path

from octotui.tui.commands import COMMANDS, Command

PAGE = Path(__file__).parents[2] / "docs" / "cockpit.md"


def row(command: Command) -> str:
    keys = " ".join(f"`{_shown(key)}`" for key in command.keys.split(","))
    where = ", ".join(command.places)
    return f"| {keys} | {command.id} | {where} | {command.does} |"


def _shown(key: str) -> str:
    return {"question_mark": "?", "escape": "esc"}.get(key, key)


def test_every_command_is_on_the_page_as_it_is() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if " | " in line]
    assert rows[1:] == [row(command) for command in COMMANDS]
