"""Terminals: which carry the screen, copying through them, losing them."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from octotui.run.directory import RunDirectory
from octotui.tui.first_line import first_line
from octotui.tui.situation import Situation
from octotui.tui.store import Store
from octotui.tui.terminal import (
    LONGEST_COPY,
    clipboard_sequence,
    hung_up,
    settle_environment,
    why_not,
)
from octotui.tui.theme import theme_for
from tests.cockpit_support import Recorded, enters
from tests.command_line import OCTOTUI, lab_up
from tests.package_site import site_with_gate

#: The terminal was told to keep what it shows, and to show another screen.
FULL_SCREEN = r"\x1b\[\?1049h"
#: The whole screen is there: the line that comes before it has no node.
THERE = "OCTO1"
#: For what has to come, seconds: a slow machine fails no test.
LONG = 60.0


@pytest.mark.parametrize(
    ("term", "terminals", "fits"),
    [
        ("xterm-256color", True, True),
        ("xterm", True, True),
        ("dumb", True, False),
        ("", True, False),
        ("xterm-256color", False, False),
    ],
)
def test_where_the_full_screen_fits(term: str, terminals: bool, fits: bool) -> None:
    assert (why_not({"TERM": term}, terminals=terminals) == "") is fits


def test_over_ssh_frames_are_few_unless_a_person_wants_them() -> None:
    environment = {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
    settle_environment(environment)
    assert environment["TEXTUAL_FPS"] == "15"
    environment = {"SSH_CONNECTION": "x", "TEXTUAL_FPS": "30"}
    settle_environment(environment)
    assert environment["TEXTUAL_FPS"] == "30"
    environment = {}
    settle_environment(environment)
    assert environment == {"TEXTUAL_ANIMATIONS": "none"}


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "xterm-256color"}, "octotui"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "octotui"),
        ({"TERM": "screen"}, "ansi-dark"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "ansi-dark"),
        ({"TERM": "xterm-256color", "TEXTUAL_THEME": "nord"}, "nord"),
    ],
)
def test_few_colours_and_none_leave_the_terminal_its_own(
    environment: dict[str, str], theme: str
) -> None:
    assert theme_for(environment, "") == theme


def test_a_copy_passes_tmux_in_both_forms() -> None:
    encoded = base64.b64encode("Größe".encode()).decode()
    plain = f"\x1b]52;c;{encoded}\x07"
    assert clipboard_sequence("Größe", tmux=False) == plain
    assert clipboard_sequence("Größe", tmux=True) == (
        plain + f"\x1bPtmux;\x1b\x1b]52;c;{encoded}\x07\x1b\\"
    )
    assert clipboard_sequence("x" * LONGEST_COPY, tmux=False) == ""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    recorded = Recorded(tmp_path, "succeeded", enters("stopping"))
    yield recorded
    recorded.close()


class Attached:
    """``octotui attach`` in a terminal of its own."""

    #: Those of this test.
    opened: ClassVar[list[Attached]] = []

    def __init__(self, *, takes_terminal: bool = True) -> None:
        import pty

        self.screen, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKES_THE_TERMINAL if takes_terminal else _OCTOTUI, "attach"],
            stdin=terminal, stdout=terminal, stderr=terminal,
            start_new_session=True, env=environment,
        )  # fmt: skip
        os.close(terminal)
        self.seen = ""
        self.opened.append(self)

    def until(self, pattern: str, seconds: float = LONG) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not re.search(pattern, self.seen):
            if select.select([self.screen], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.screen, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        assert re.search(pattern, self.seen), self.seen[-2000:]


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test() -> Iterator[None]:
    yield
    for attached in Attached.opened:
        attached.process.kill()
        attached.process.wait()
    Attached.opened.clear()


_OCTOTUI = """
from octotui.cli.main import main
main()
"""
_TAKES_THE_TERMINAL = f"""
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
{_OCTOTUI}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo terminal")
def test_only_a_terminal_that_is_gone_counts_as_hung_up() -> None:
    import pty

    screen, terminal = pty.openpty()
    os.close(screen)
    assert hung_up(terminal)
    os.close(terminal)
    assert not hung_up(terminal)  # no file is open under that number: nothing was lost


#: The main thread's place in the kernel is looked at, which only Linux tells.
tells_where_it_stands = pytest.mark.skipif(
    not Path("/proc/self/wchan").exists(), reason="the system does not tell where a thread waits"
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo terminal")
class TestLosingIt:
    """Within a second, as benchmarks/screen.py measures; here it has to happen at all."""

    def test_a_closed_terminal_ends_the_client(self, run: Recorded) -> None:
        attached = Attached()
        attached.until(THERE)
        os.close(attached.screen)
        assert attached.process.wait(LONG) == 128 + signal.SIGHUP
        assert run.commands() == []

    @pytest.mark.parametrize("when", [FULL_SCREEN, THERE], ids=["at once", "later"])
    def test_a_terminated_client_leaves_the_terminal_as_it_was(
        self, run: Recorded, when: str
    ) -> None:
        attached = Attached()
        attached.until(when)
        attached.process.terminate()
        attached.until(r"\x1b\[\?1049l")
        assert attached.process.wait(LONG) == 128 + signal.SIGTERM
        os.close(attached.screen)

    def test_leaving_says_that_the_run_goes_on(self, run: Recorded) -> None:
        attached = Attached()
        attached.until(THERE)
        os.write(attached.screen, b"q")
        attached.until("nothing was decided. The run goes on: draining")
        assert attached.process.wait(LONG) == 130
        os.close(attached.screen)

    @tells_where_it_stands
    def test_a_client_that_is_stuck_in_writing_ends_when_its_terminal_is_closed(
        self, run: Recorded
    ) -> None:
        attached = Attached()
        attached.until(THERE)
        flood_until_stuck(attached, run.run)
        os.close(attached.screen)
        assert attached.process.wait(LONG) == 128 + signal.SIGHUP

    def test_a_terminal_that_is_not_the_controlling_one_is_missed_as_well(
        self, run: Recorded
    ) -> None:
        attached = Attached(takes_terminal=False)
        attached.until(THERE)
        os.close(attached.screen)
        assert attached.process.wait(LONG) == 128 + signal.SIGHUP


def flood_until_stuck(attached: Attached, run: RunDirectory) -> None:
    """Nobody reads: pictures fill the terminal's buffer, until a write to it does not return.

    Log lines come, and keys go to the log and back.
    """
    deadline = time.monotonic() + LONG
    while not _is_stuck(attached.process.pid) and time.monotonic() < deadline:
        with (run.logs / "OCTO1.log").open("a") as log:
            log.write(f"2025-10-09T09:00:00Z {'x' * 60}\n")
        os.write(attached.screen, b"l")
        time.sleep(0.05)
    assert _is_stuck(attached.process.pid)


def _is_stuck(pid: int) -> bool:
    """Whether the main thread waits for the one that writes, which waits for the terminal.

    For good: it also waits like that, for moments, where another thread has the interpreter.
    """
    before = _stands(pid)
    if before is None:
        return False
    time.sleep(0.3)
    return _stands(pid) == before


def _stands(pid: int) -> str | None:
    """How often the main thread began to wait, if it waits and a thread stands in a write."""
    waits = {(task / "wchan").read_text() for task in Path(f"/proc/{pid}/task").iterdir()}
    main = Path(f"/proc/{pid}/task/{pid}")
    if "futex" not in (main / "wchan").read_text() or not waits & {"wait_woken", "n_tty_write"}:
        return None
    lines = (main / "status").read_text().splitlines()
    return next(line for line in lines if line.startswith("voluntary_ctxt_switches"))


@pytest.mark.slow
@tells_where_it_stands
def test_a_terminal_that_nobody_reads_delays_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The viewer stands in a write to its terminal, and the run goes on to its end."""
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path / "state"))
    with lab_up(tmp_path) as lab, site_with_gate(lab) as gate:
        command = [*OCTOTUI, "upgrade", str(lab.profile), "--yes", "--headless", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            assert follower.stdout is not None
            follower.stdout.readline()
            try:
                attached = Attached()
                attached.until(THERE)
                flood_until_stuck(attached, RunDirectory.find())
            finally:
                gate.set()  # from here on the run goes through all of its phases
            events = [json.loads(line) for line in follower.stdout]
            assert _is_stuck(attached.process.pid)
            assert events[-1]["data"]["outcome"] == "succeeded"
            assert follower.wait(LONG) == 0
    os.close(attached.screen)
    assert attached.process.wait(LONG) == 128 + signal.SIGHUP


def test_what_is_written_first_holds_nothing_that_a_terminal_would_obey(run: Recorded) -> None:
    view = Store(run.run, run.now).view
    view.cluster, view.profile = "http://\x1b]0;x\x07", ""
    line = first_line(Situation(view), run.now(), run.now(), 80)
    assert line.startswith("\x1b[H\x1b[1m")
    words = line.removeprefix("\x1b[H\x1b[1m").removesuffix("\x1b[0m")
    assert words.isprintable()
    assert len(words) == 80
    assert "draining" in words
