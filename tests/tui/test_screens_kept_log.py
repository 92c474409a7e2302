"""Logs that were fetched from nodes: found by node, shown at their cause, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from octotui.tui.app import Cockpit
from octotui.tui.kept_logs import kept_logs, read_kept
from octotui.tui.keymap import Settings
from octotui.tui.log_tail import Severity
from octotui.tui.screens.base import KeyLine
from octotui.tui.screens.kept_log import KeptLogScreen
from octotui.tui.widgets.log_view import LogView
from tests.cockpit_support import Recorded, begins, enters, is_end

FAILED = """\
=== Verbose logging started: 09/10/2025  8:58:56 ===
MSI (s) (A4:B8) [08:58:59:123]: Executing op: FileCopy(SourceName=Octopus.Server.dll)
CustomAction ConfigureService returned actual error code 1603
Action ended 8:59:56: InstallFinalize. Return value 3.
MSI (s) (A4:B8) [08:59:57:001]: MainEngineThread is returning 1603
"""


@pytest.fixture
def failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "joining-failed", is_end)
    yield run
    run.close()


def keep(run: Recorded, name: str, text: str = FAILED) -> Path:
    path = run.run.logs / name.replace("RUN", run.run.run_id)
    path.write_text(text, encoding="utf-8")
    return path


async def opened(app: Cockpit, pilot: Pilot[Any]) -> KeptLogScreen:
    for _ in range(1000):
        screen = app.screen
        if isinstance(screen, KeptLogScreen) and screen._logs:
            await pilot.pause()
            return screen
        await pilot.pause(0.02)
    raise AssertionError("no log was opened")


def test_the_logs_of_one_node_are_found_the_oldest_first(failed: Recorded) -> None:
    for other in failed.run.logs.glob("*msi*"):
        other.unlink()
    keep(failed, "OCTO2-RUN.msi-target.1.log")
    keep(failed, "OCTO2-RUN.msi-target.2.log")
    keep(failed, "OCTO21-RUN.msi-target.1.log")
    keep(failed, "OCTO2.log")
    titles = [log.title for log in kept_logs(failed.run, "OCTO2")]
    assert titles == ["new version, try 1", "new version, try 2"]


def test_what_windows_installer_calls_a_failure_is_one(failed: Recorded) -> None:
    path = keep(failed, "OCTO2-RUN.msi-target.1.log", FAILED + "\x1b[2J red\n")
    lines = read_kept(path)
    assert [line.severity is Severity.ERROR for line in lines] == [
        False, False, True, True, True, False,
    ]  # fmt: skip
    assert lines[-1].text == "\N{REPLACEMENT CHARACTER}[2J red"
    success = "MainEngineThread is returning 0\nMainEngineThread is returning 3010\n"
    path = keep(failed, "OCTO2-RUN.msi-target.2.log", success)
    assert {line.severity for line in read_kept(path)} == {Severity.INFO}


async def test_the_decision_leads_to_the_cause_in_the_installer_s_log(failed: Recorded) -> None:
    keep(failed, "OCTO2-RUN.msi-target.1.log")
    app = Cockpit(failed.run, now=failed.now, environment={}, settings=Settings())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        app.tick()
        await pilot.press("m")
        screen = await opened(app, pilot)
        log = screen.query_one(LogView)
        assert not log.following, "it stands at the first error"
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard == "CustomAction ConfigureService returned actual error code 1603"
        await pilot.press("escape")
        assert getattr(app.screen, "PLACE", "") == "decision"


async def test_the_logs_of_a_node_are_a_key_apart(failed: Recorded) -> None:
    for other in failed.run.logs.glob("*msi*"):
        other.unlink()
    keep(failed, "OCTO2-RUN.msi-target.1.log")
    keep(failed, "OCTO2-RUN.reinstall.1.log", "nothing to see\n")
    app = Cockpit(failed.run, now=failed.now, environment={}, settings=Settings())
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("escape", "escape", "m")
        screen = await opened(app, pilot)
        head = screen.query_one("#kept-log-head")
        assert "2 of 2" in str(head.render())
        keys = screen.query_one(KeyLine)
        screen.tick(failed.now())
        for told in ("e next error", "w wrap", "& filter", "[ log before", "] next log"):
            assert told in str(keys.render())
        for key, expected in (("left_square_bracket", "1 of 2"), ("right_square_bracket", "2 of")):
            await pilot.press(key)
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            assert expected in str(head.render())


async def test_a_log_that_was_not_fetched_yet_is_said_to_be_on_its_node(tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", enters("finishing"))
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings())
    try:
        async with app.run_test(size=(120, 30)) as pilot:
            await pilot.press("m")
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            assert "OCTO1 not fetched yet" in str(app.screen.query_one("#kept-log-head").render())
            texts = [line.text for line in app.screen.query_one(LogView).shown()]
            assert "is still on OCTO1" in texts[0]
            await pilot.press("y")
            assert app.clipboard == texts[-1]
            assert app.clipboard.endswith("msi.log")
    finally:
        run.close()


async def test_before_any_installation_there_is_no_log(tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", begins("draining.wait"))
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings())
    try:
        async with app.run_test(size=(120, 30)) as pilot:
            await pilot.press("m")
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            assert "OCTO1 no log" in str(app.screen.query_one("#kept-log-head").render())
            (line,) = app.screen.query_one(LogView).shown()
            assert line.text == "No installer has written a log on OCTO1 yet."
    finally:
        run.close()
