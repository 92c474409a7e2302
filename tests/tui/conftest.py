"""What the tests of the screens share: runs to look at, and no cluster asked by accident."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cockpit_support import Make, Recorded


async def _nobody() -> AsyncGenerator[str, None]:
    return
    yield


@pytest.fixture(autouse=True)
def _asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Home would start a child process, which outlives a test that does not wait for it."""
    monkeypatch.setattr("octotui.tui.glance.answers", _nobody)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes recorded runs in a state folder of the test's own."""
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    made: list[Recorded] = []

    def make(*arguments: Any, **options: Any) -> Recorded:
        made.append(Recorded(tmp_path, *arguments, **options))
        return made[-1]

    yield make
    for run in made:
        run.close()
