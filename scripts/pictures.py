"""Draws the screens for README and docs from recorded runs: ``python scripts/pictures.py``.

With ``--check`` nothing is written; the exit code is 1 where a picture is not as it is in docs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.tui.home_scenes import home, settle  # noqa: E402
from tests.tui.scenes import SCENES  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"

#: Name of a picture: the scene that it shows.
SHOWN: Final = {
    "home": "",
    "plan": "plan-approval",
    "run": "run-migrating",
    "steps": "run-steps",
    "many": "run-many",
    "node": "node-failed",
    "decision": "decision-failed-node",
    "confirm": "confirm-leave-out",
    "report": "report-left-out",
    "replay": "replay-failure",
    "kept-log": "kept-log",
}

SIZE: Final = (120, 36)


async def draw(name: str) -> str:
    """The picture of a scene, or of home where the name is empty, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            return await (_scene(name) if name else _home())
        finally:
            os.chdir(ROOT)


async def _scene(name: str) -> str:
    scene = SCENES[name]
    run = scene.record(Path())
    app = scene.cockpit(run)
    async with app.run_test(size=SIZE) as pilot:
        await scene.play(pilot, run)
        picture = app.export_screenshot(title="octotui", simplify=True)
    run.close()
    return picture


async def _home() -> str:
    with home(empty=False) as app:
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            return app.export_screenshot(title="octotui", simplify=True)


def main() -> int:
    check = "--check" in sys.argv[1:]
    os.environ.update(OCTOTUI_STATE_DIR="/state", TZ="UTC", TEXTUAL_ANIMATIONS="none")
    os.environ.pop("NO_COLOR", None)  # Textual looks for itself
    time.tzset()
    PICTURES.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, scene in SHOWN.items():
        path = PICTURES / f"{name}.svg"
        picture = asyncio.run(draw(scene))
        if not path.is_file() or path.read_text(encoding="utf-8") != picture:
            stale.append(name)
            if not check:
                path.write_text(picture, encoding="utf-8")
    print(f"{'not as drawn now' if check else 'drawn anew'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
