"""A command of our own as the screen's child: what it says, how long it may, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from filelock import FileLock

from octotui.api.errors import OctotuiError
from octotui.run.request import RunRequest
from octotui.tui import child
from tests.cockpit_support import Recorded, begins

pytestmark = pytest.mark.slow

NAME = "octotui something"

#: A test that waits longer has failed, seconds.
PATIENCE = 120.0


async def told(command: Sequence[str], limit: float = PATIENCE) -> list[str]:
    async with aclosing(child.lines(NAME, command, limit)) as lines:
        return [line.rstrip() async for line in lines]


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


async def test_one_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(OctotuiError, match=f"{NAME} cannot be started: No such file"):
        await told([str(tmp_path / "gone")])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("sys.exit('a warning\\noctotui: the disk is full. Make room.')", "the disk is full. Make"),
        ("sys.exit('Traceback:\\nValueError: odd')", f"{NAME} ended with 1: ValueError: odd"),
        ("sys.stderr.write('x' * 500_000 + '\\noctotui: no'); sys.exit(2)", "^no"),
        ("os.kill(os.getpid(), 9)", f"{NAME} ended with -9. Try it"),
        ("print('x' * 2_000_000, end='')", "a line without an end"),
    ],
)
async def test_one_that_fails_is_told_in_its_words(program: str, words: str) -> None:
    with pytest.raises(OctotuiError, match=words):
        await told(python(f"import os, sys; {program}"))


async def test_the_limit_is_from_line_to_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, moved, heard = asyncio.get_running_loop(), 0.0, []
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + moved)
    program = (
        "import pathlib, sys, time\n"
        "for n in range(4):\n"
        "    print(n, flush=True)\n"
        "    while n < 3 and not pathlib.Path(sys.argv[1], str(n)).exists(): time.sleep(0.01)\n"
    )
    command = [*python(program), str(tmp_path)]
    async with aclosing(child.lines(NAME, command, PATIENCE)) as lines:
        async for line in lines:
            heard.append(line.strip())
            moved += PATIENCE - 5
            (tmp_path / line.strip()).touch()
    assert heard == ["0", "1", "2", "3"]


async def test_one_that_neither_speaks_nor_ends_is_ended() -> None:
    with pytest.raises(OctotuiError, match="said nothing for 0 s and was ended"):
        await told(python("import time; time.sleep(60)"), 0.2)
    closed = "import os, time; os.close(1); time.sleep(60)"
    with pytest.raises(OctotuiError, match="said nothing for 0 s and was ended"):
        await told(python(closed), 0.2)


async def test_one_that_will_not_end_is_killed() -> None:
    program = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    async with aclosing(child.lines(NAME, python(program), PATIENCE)) as lines:
        pid = int(await anext(lines))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


#: A screen with a child that is tethered and holds a lock for as long as it lives.
SCREEN = """
import asyncio, sys
from octotui.tui import child
CHILD = '''
import sys, threading
from filelock import FileLock
from octotui.cli.tether import end_with_input
lock = FileLock(sys.argv[1])
lock.acquire()
end_with_input()
print("here", flush=True)
threading.Event().wait()
'''
async def main():
    async for line in child.lines("x", [sys.executable, "-c", CHILD, sys.argv[1]], 600):
        print(line, end="", flush=True)
asyncio.run(main())
"""


def test_it_does_not_outlive_a_screen_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    screen = subprocess.Popen([*python(SCREEN), str(path)], stdout=subprocess.PIPE, text=True)
    assert screen.stdout is not None
    with screen:
        assert screen.stdout.readline() == "here\n"
        screen.kill()
    with FileLock(path).acquire(timeout=PATIENCE):
        pass  # it is dead: nothing else would have let go of it


def bundle_of(run: Recorded, *options: str, to: Path, stdin: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "octotui", "bundle", run.run.run_id, "--json", *options]
    return subprocess.Popen(
        [*command, "--to", str(to)], stdin=stdin, stdout=subprocess.PIPE, text=True
    )


def test_a_bundle_ends_with_its_input_only_where_that_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", begins("starting.start@OCTO1"))
    folder = tmp_path / "out"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "key").write_text("API-SECRET")
        profile = tmp_path / "prod.toml"
        port = silent.getsockname()[1]
        profile.write_text(
            f'[octopus]\nurl = "https://127.0.0.1:{port}"\napi_key = "file:key"\n'
            '[transports.winrm]\nusername = "x"\npassword = "file:key"\n'
            '[[nodes]]\nname = "OCTO1"\nhost = "octo1"\ntransport = "winrm"\n'
            "[backup]\nkind = 'node'\npath = '\\\\backup\\octopus'\n"
        )
        RunRequest(str(profile)).write(run.journal)
        silent.settimeout(PATIENCE)
        with bundle_of(run, "--tethered", to=folder / "a.zip", stdin=subprocess.PIPE) as tethered:
            asked, _ = silent.accept()  # it asks the server, who says nothing
            assert [path.suffix for path in folder.iterdir()] == [".part"]
            assert tethered.stdin is not None
            tethered.stdin.close()
            assert tethered.wait(PATIENCE) == 128 + signal.SIGTERM
        asked.close()
    assert list(folder.iterdir()) == []
    with bundle_of(run, "--no-server", to=folder / "b.zip", stdin=subprocess.DEVNULL) as free:
        assert free.wait(PATIENCE) == 0
    assert [path.name for path in folder.iterdir()] == ["b.zip"]
    run.close()


async def test_a_child_is_given_up_even_where_nobody_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As at the end of an application, which cancels what is being cancelled already."""
    started: list[asyncio.subprocess.Process] = []
    start = child._start

    async def kept(name: str, command: Sequence[str]) -> asyncio.subprocess.Process:
        started.append(await start(name, command))
        return started[-1]

    monkeypatch.setattr(child, "_start", kept)
    command = [sys.executable, "-c", "print(1, flush=True); input()"]
    lines = child.lines(NAME, command, PATIENCE)
    assert await anext(lines) == "1\n"

    async def leave() -> None:
        await lines.aclose()

    leaving = asyncio.create_task(leave())
    for _ in range(3):
        await asyncio.sleep(0)
        leaving.cancel()
    await asyncio.wait([leaving])
    assert started[0]._transport.is_closing()  # type: ignore[attr-defined]
