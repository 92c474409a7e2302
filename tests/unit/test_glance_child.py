"""The child that asks for the home screen: its lines, its failures, and its end."""

from __future__ import annotations

import os
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from octotui.api.errors import OctotuiError
from octotui.tui import glance


def child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(glance, "_command", lambda: [sys.executable, "-c", program])


async def lines() -> list[str]:
    async with aclosing(glance.answers()) as answers:
        return [line async for line in answers]


async def test_its_lines_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "print('one'); print('two')")
    assert [line.strip() for line in await lines()] == ["one", "two"]


async def test_a_line_may_tell_of_hundreds_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "print('x' * 500_000)")
    assert [len(line) for line in await lines()] == [500_001]


async def test_it_is_the_command_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "bad.toml").write_text("nonsense\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    glances = glance.Glances()
    for line in await lines():
        glances.take(line, 7.0)
    seen = glances.of(Path("profiles/bad.toml"))
    assert seen is not None
    assert (seen.health, seen.name, seen.asked) == ("fault", "bad", 7.0)


async def test_one_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "import sys; print('one'); sys.exit(3)")
    with pytest.raises(OctotuiError, match="ended with 3"):
        await lines()


async def test_one_that_does_not_end_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance, "LIMIT", 0.2)
    child(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(OctotuiError, match="octotui glance said nothing"):
        await lines()


async def test_left_early_it_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    async with aclosing(glance.answers()) as answers:
        pid = int(await anext(answers))
        assert os.getpgid(pid) == pid, "no signal of the terminal reaches it"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("line", ["", "[]", '{"profile": "a.toml"}', "Traceback"])
def test_a_line_that_is_something_else(line: str) -> None:
    with pytest.raises(OctotuiError, match="told something else"):
        glance.Glances().take(line, 0.0)
