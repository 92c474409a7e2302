"""The support bundle by a key: one child process at a time, and what a person is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from octotui.tui import bundle
from octotui.tui.app import Cockpit
from octotui.tui.screens.decision_text import happened_text
from octotui.tui.situation import Situation
from octotui.view import fold
from tests.cockpit_support import Make, begins, enters, is_end
from tests.tui.test_screens_keys import cockpit, place, settle

#: A child in place of the command line: tells which run it was given. A library prints first.
TELLS = """
import json, sys
print("DeprecationWarning: ours to ignore")
missing = [{"what": f"part {n}", "why": "it is gone"} for n in range(4)]
path = f"/bundles/[{sys.argv[1]}].zip"
print(json.dumps({"run": "", "path": path, "size": 1_260_000, "server": "", "missing": missing}))
"""

#: One that says its process id and waits to be ended.
WAITS = """
import os, signal, sys, time, pathlib
name = sys.argv[1]
def end(*_):
    pathlib.Path(name + ".ended").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
pathlib.Path(name + ".new").write_text(str(os.getpid()))
os.rename(name + ".new", name)
time.sleep(60)
"""


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what is started in place of ``octotui bundle``."""

    def use(script: str, argument: str = "") -> None:
        monkeypatch.setattr(
            bundle, "_command", lambda run: [sys.executable, "-c", script, argument or run.run_id]
        )

    return use


async def told(app: Cockpit, pilot: Pilot[Any], count: int) -> list[tuple[str, str]]:
    """Title and text of the notices, once there are so many; a child takes its time."""
    for _ in range(1000):
        notices = [(n.title, n.message) for n in app._notifications]
        if len(notices) >= count:
            return notices
        await pilot.pause(0.02)
    raise AssertionError("nothing was told")


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


@pytest.mark.parametrize(
    ("name", "when", "where"),
    [
        ("succeeded", enters("staging"), "plan"),
        ("succeeded", enters("stopping"), "run"),
        ("joining-failed", is_end, "decision"),
        ("succeeded", lambda event: False, "report"),
    ],
)
async def test_one_key_makes_a_bundle_and_tells_where_it_is(
    recorded: Make, child: Callable[..., None], name: str, when: Any, where: str
) -> None:
    run = recorded(name, when)
    child(TELLS)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        assert place(app) == where
        await pilot.press("b")
        begun, ended = await told(app, pilot, 2)
        assert "is being made" in begun[1]
        path = f"/bundles/[{run.run.run_id}].zip"
        assert ended == (
            "Support bundle",
            f"{path} (1,260 kB). The path is copied.\n"
            "Not in it: part 0, part 1, part 2 and 1 more; README.txt in it says why.\n"
            "Look through it before you hand it on.",
        )
        assert app.clipboard == path


@pytest.mark.parametrize("says", ["", "[]", '{"path": "x"}', "Traceback", '{"path": 1'])
async def test_one_that_says_something_else_is_told(
    recorded: Make, child: Callable[..., None], says: str
) -> None:
    child(f"print({says!r})")
    async with cockpit(recorded("succeeded", enters("stopping"))) as (app, pilot):
        await pilot.press("b")
        title, text = (await told(app, pilot, 2))[1]
        assert (title, "without saying where" in text) == ("No support bundle", True)
        assert app.clipboard == ""


async def test_one_that_cannot_be_started_is_told(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_command", lambda run: ["/nowhere/python"])
    async with cockpit(recorded("succeeded", enters("stopping"))) as (app, pilot):
        await pilot.press("b")
        title, text = (await told(app, pilot, 2))[1]
        assert (title, "cannot be started" in text) == ("No support bundle", True)


async def test_why_there_is_none_is_told_in_the_command_s_words(
    recorded: Make, child: Callable[..., None]
) -> None:
    child("import sys; print('octotui: the disk is [full].', file=sys.stderr); sys.exit(2)")
    async with cockpit(recorded("succeeded", enters("stopping"))) as (app, pilot):
        await pilot.press("b")
        assert (await told(app, pilot, 2))[1] == ("No support bundle", "the disk is [full].")
        assert app.clipboard == ""


async def test_never_two_at_a_time_and_none_after_the_screen_is_left(
    recorded: Make, child: Callable[..., None], tmp_path: Path
) -> None:
    started = tmp_path / "child"
    child(WAITS, str(started))
    async with cockpit(recorded("succeeded", enters("stopping"))) as (app, pilot):
        await pilot.press("b")
        await until(started.exists)
        pid = int(started.read_text())
        started.unlink()
        assert os.getsid(pid) == pid, "no terminal is its own"
        await pilot.press("b")
        assert "already" in (await told(app, pilot, 2))[1][1]
        await pilot.press("q")
    await until(lambda: not Path(f"/proc/{pid}").exists() if sys.platform == "linux" else True)
    assert (tmp_path / "child.ended").exists(), "it was given the time to clean up"
    assert not started.exists()


async def test_one_that_takes_too_long_is_ended_and_told(
    recorded: Make, child: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "LIMIT", 0.3)
    child("import time; time.sleep(60)")
    async with cockpit(recorded("succeeded", enters("stopping"))) as (app, pilot):
        await pilot.press("b")
        title, text = (await told(app, pilot, 2))[1]
        assert (title, "octotui bundle" in text) == ("No support bundle", True)
        await pilot.press("b")
        assert "is being made;" in (await told(app, pilot, 3))[2][1]


async def test_the_command_line_makes_it(recorded: Make, tmp_path: Path) -> None:
    run = recorded("database-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("b")
        title, text = (await told(app, pilot, 2))[1]
    assert (title, "Not in it: profile.toml" in text) == ("Support bundle", True)
    with zipfile.ZipFile(app.clipboard) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["run"] == run.run.run_id
        events = archive.read("journal/events.jsonl").splitlines()
    assert len(events) == len(list(run.journal.events()))


def test_a_failed_script_of_the_database_asks_for_a_bundle(recorded: Make) -> None:
    run = recorded("succeeded", begins("starting.start@OCTO1"))
    step = fold(run.journal.events()).steps["migrating.database@OCTO1"]
    failed = {"step": step.id, "node": "OCTO1", "phase": "migrating", "title": step.title,
              "attempt": 1, "seconds": 1.0, "outcome": "failed",
              "error": {"what": "a script failed"}}  # fmt: skip
    before = happened_text(Situation(fold(run.journal.events()), True), "").plain
    run.tell("step.ended", failed)
    after = happened_text(Situation(fold(run.journal.events()), True), "").plain
    assert "support bundle" not in before
    assert "make a support bundle for Octopus' support" in after
