"""What all tests share: no skip where CI promised to have everything; no state of the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, locks and caches of a test are its own."""
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path_factory.mktemp("state")))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks as slow what is so by its nature: a lab's real sockets, and a real PowerShell."""
    lab = Path(__file__).parent / "lab"
    if item.path.is_relative_to(lab) or item.get_closest_marker("powershell"):
        item.add_marker("slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """With OCTOTUI_NO_SKIPS a skipped test is a failed one: CI has what it needs.

    What a plugin declares that it cannot do, the conformance suites skip rightly.
    """
    report = yield
    strict = os.environ.get("OCTOTUI_NO_SKIPS") and report.skipped
    if strict and "octotui/testing" not in Path(report.longrepr[0]).as_posix():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where no skip is tolerated: {report.longrepr}"
    return report


@pytest.fixture
def repository() -> Path:
    """The checkout that the tests lie in."""
    return Path(__file__).parent.parent
