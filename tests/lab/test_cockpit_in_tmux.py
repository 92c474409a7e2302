"""The cockpit as a person has it: a real terminal in tmux, driven by keys alone, from home on.

What happened is judged by the lab's ground truth, not by what the screen says.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from octotui.run.directory import RunDirectory
from octotui.run.process import is_alive
from tests.command_line import OCTOTUI, Lab, end_runners, lab_up
from tests.package_site import site_with_gate, site_without

INSTALLED, TARGET = "2025.2.13071", "2025.4.10428"

#: Seconds that a screen may take to come; a hang becomes a failure with what was shown last.
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")


class Terminal:
    """One tmux window with a program in it."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._folder = folder
        self._socket = ""
        self._windows = 0
        self._size = size

    def start(self, *command: str) -> None:
        # A server of its own for each window: one that was killed may take a while to be gone.
        self._windows += 1
        self._socket = str(self._folder / f"tmux-{self._windows}")
        columns, rows = self._size
        line = f"cd {shlex.quote(str(self._folder))}; {shlex.join(command)}; echo code=$?; cat"
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows), line)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def shown(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, *texts: str) -> str:
        """Waits until all of these are on the screen, and returns it."""
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            screen = self.shown()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{texts} did not come:\n{self.shown()}")

    def close(self) -> None:
        """As if the window were closed: everything in it is hung up."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("TMUX", raising=False)
    (tmp_path / "profiles").mkdir()
    opened = Terminal(tmp_path, getattr(request, "param", (80, 24)))
    yield opened
    opened.close()
    end_runners()


def assert_cluster(lab: Lab, version: str, upgrades: int) -> None:
    truth = lab.truth()
    assert truth["violations"] == []
    assert (truth["database"]["version"], truth["database"]["upgrades"]) == (version, upgrades)
    assert truth["cluster"]["maintenance"] == truth["cluster"]["initial_maintenance"]
    for node in truth["nodes"].values():
        assert (node["version"], node["service"]) == (version, "running")
        assert (node["draining"], node["watchdog"]) == (False, "enabled")


@pytest.mark.parametrize("terminal", [(80, 24), (160, 50)], indirect=True, ids=["80x24", "160x50"])
def test_from_home_over_a_failure_and_the_way_back_to_the_report(
    terminal: Terminal, tmp_path: Path
) -> None:
    with lab_up(tmp_path / "profiles", faults=["node1:msi-exit=1603,times=1"]) as lab:
        terminal.start(*OCTOTUI)
        terminal.until("Profiles", "lab")
        terminal.press("Enter")
        terminal.until("waits for approval", "approve")
        terminal.press("A")
        terminal.until("Installing did not end well", "1603", "Wait")
        terminal.press("Enter")  # the default decides nothing
        terminal.until("waits for you", "outage 0:")
        terminal.press("d")
        terminal.until("Installing did not end well")
        terminal.press("m")
        terminal.until("OCTO1 new version, try 1", "Return value 3")
        terminal.press("Escape")
        terminal.until("Installing did not end well")
        terminal.press("B")
        terminal.until("Type roll back")
        terminal.type("roll back")
        terminal.press("Enter")
        terminal.until("rolled back after")
        assert_cluster(lab, INSTALLED, 0)
        terminal.press("Escape")
        terminal.until("Profiles", "rolled back")
        terminal.press("q")
        terminal.until("code=0")


def test_a_closed_terminal_decides_nothing_and_another_attaches(
    terminal: Terminal, tmp_path: Path
) -> None:
    with lab_up(tmp_path / "profiles") as lab, site_with_gate(lab) as gate:
        terminal.start(*OCTOTUI, "upgrade", str(lab.profile))
        terminal.until("waits for approval", "approve")
        terminal.press("A")
        terminal.until("● live", "staging")
        terminal.close()
        assert is_alive(RunDirectory.find()), "the run goes on without a screen"
        gate.set()
        terminal.start(*OCTOTUI, "attach")
        terminal.until("succeeded after", TARGET)
        terminal.press("q")
        terminal.until("code=0")
        assert_cluster(lab, TARGET, 1)


def test_a_hold_before_a_phase_and_a_retry_by_keys(terminal: Terminal, tmp_path: Path) -> None:
    with (
        lab_up(tmp_path / "profiles", faults=["node2:msi-exit=1603,times=1"]) as lab,
        site_with_gate(lab) as gate,
    ):
        terminal.start(*OCTOTUI, "upgrade", str(lab.profile))
        terminal.until("waits for approval", "approve")
        terminal.press("A")
        terminal.until("● live")
        terminal.press("H")
        terminal.until("Stop and wait before")
        terminal.press("End", "Enter")  # the last phase
        terminal.until("will stop before finishing")
        gate.set()
        terminal.until("Joining did not end well", "1603")
        terminal.press("r")
        terminal.until("y yes")
        terminal.press("y")
        terminal.until("Held before finishing")
        terminal.press("R")
        terminal.until("y yes")
        terminal.press("y")
        terminal.until("succeeded after")
        assert_cluster(lab, TARGET, 1)


def test_a_check_that_refuses_is_waived_and_the_new_run_waits_for_approval(
    terminal: Terminal, tmp_path: Path
) -> None:
    with (
        lab_up(tmp_path / "profiles") as lab,
        site_without(INSTALLED, lab, tmp_path / "site"),
    ):
        terminal.start(*OCTOTUI)
        terminal.until("Profiles", "lab")
        terminal.press("Enter")
        terminal.until("refused after", "w goes on without way-back")
        terminal.press("w")
        terminal.until("Go on without", "not refused by way-back")
        terminal.press("Down", "Enter")
        terminal.until("waits for approval", "waived way-back", "no way back after installing")
        terminal.press("X")
        terminal.until("y yes")
        terminal.press("y")
        terminal.until("aborted after")
        assert lab.truth()["actions"] == []
