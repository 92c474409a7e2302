"""Draws the screens for README and docs from recorded runs: ``python scripts/pictures.py``.

With ``--check`` nothing is written; the exit code is 1 where a picture is not as it is in docs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from octotui.tui.app import Cockpit  # noqa: E402
from octotui.tui.keymap import Settings  # noqa: E402
from tests.cockpit_support import Recorded, begins, enters, is_end  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"

SCENES: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "plan": ("succeeded", enters("staging")),
    "run": ("joining-failed", begins("joining.start@OCTO3")),
    "decision": ("joining-failed", is_end),
    "report": ("succeeded", lambda event: False),
}


async def draw(name: str) -> str:
    """The picture of a scene as SVG."""
    journal, until = SCENES[name]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run = Recorded(Path(), journal, until)
        environment = {"TERM": "xterm-256color"}
        app = Cockpit(run.run, now=run.now, environment=environment, settings=Settings())
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause()
            app.tick()
            await pilot.pause()
            picture = app.export_screenshot(title="octotui", simplify=True)
        run.close()
        os.chdir(ROOT)
    return picture


def main() -> int:
    check = "--check" in sys.argv[1:]
    os.environ.update(OCTOTUI_STATE_DIR="/state", TZ="UTC", TEXTUAL_ANIMATIONS="none")
    time.tzset()
    PICTURES.mkdir(parents=True, exist_ok=True)
    stale = []
    for name in SCENES:
        path = PICTURES / f"{name}.svg"
        picture = asyncio.run(draw(name))
        if not path.is_file() or path.read_text(encoding="utf-8") != picture:
            stale.append(name)
            if not check:
                path.write_text(picture, encoding="utf-8")
    print(f"{'not as drawn now' if check else 'drawn anew'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
