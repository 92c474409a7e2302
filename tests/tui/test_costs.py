"""What must not be paid for: layouts that change nothing, modules that the first picture lacks."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from octotui.tui import memory
from octotui.tui.screens.base import Line


class OneLine(App[None]):
    def compose(self) -> ComposeResult:
        yield Line()


async def test_only_another_height_lays_the_screen_out_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with OneLine().run_test(size=(20, 10)) as pilot:
        line = pilot.app.query_one(Line)
        line.say(Content("waits for a lease since 0:12"))
        await pilot.pause()
        assert line.size.height == 2
        asked: list[bool] = []

        def refresh(*_: object, layout: bool = False, **__: object) -> Line:
            asked.append(layout)
            return line

        monkeypatch.setattr(line, "refresh", refresh)
        line.say(Content("waits for a lease since 0:13"))
        line.say(Content("waits no more"))
        assert asked == [False, True]


def test_the_collector_works_again_once_the_first_picture_stands() -> None:
    thresholds = gc.get_threshold()
    try:
        memory.hurry()
        assert not gc.isenabled()
        memory.settle()
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.enable()


@pytest.fixture(scope="module")
def first_picture() -> set[str]:
    """The modules that are loaded once ``octotui attach`` shows something."""
    program = (
        "import sys, octotui.cli.main, octotui.cli.attach, octotui.tui.app, octotui.tui.screens.run"
        "; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert {"octotui.tui.app", "octotui.tui.screens.run"} <= loaded, done.stderr
    return loaded


@pytest.mark.parametrize(
    "module", ["octotui.tui.recording", "octotui.tui.screens.plan", "octotui.upgrade.plan",
               "octotui.tui.questions", "octotui.tui.screens.ask", "octotui.run.commanding",
               "octotui.cli.follow", "filelock", "tomllib", "pydantic", "httpx"]
)  # fmt: skip
def test_the_first_picture_of_attach_does_without(first_picture: set[str], module: str) -> None:
    assert module not in first_picture
