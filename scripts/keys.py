"""Writes the table of keys in docs/cockpit.md from the commands: ``python scripts/keys.py``.

With ``--check`` nothing is written; the exit code is 1 where the page lists other keys.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from octotui.tui.command import Command  # noqa: E402
from octotui.tui.commands import COMMANDS  # noqa: E402

PAGE = ROOT / "docs" / "cockpit.md"
HEAD = "| key | name | where | what it does |\n|---|---|---|---|\n"
#: Keys whose names are not what stands on them.
NAMES = {
    "question_mark": "?",
    "escape": "esc",
    "slash": "/",
    "ampersand": "&",
    "comma": ",",
}


def row(command: Command) -> str:
    keys = " ".join(f"`{NAMES.get(key, key)}`" for key in command.keys.split(","))
    return f"| {keys} | {command.id} | {', '.join(command.places)} | {command.does} |\n"


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    begin = text.index(HEAD) + len(HEAD)
    end = text.index("\n\n", begin) + 1
    wanted = text[:begin] + "".join(map(row, COMMANDS)) + text[end:]
    if "--check" in sys.argv[1:]:
        print("the page lists the keys" if wanted == text else "docs/cockpit.md lists other keys")
        return int(wanted != text)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
