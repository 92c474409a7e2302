"""What the tests of the screens share: none of them asks a cluster by accident."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest


async def _nobody() -> AsyncGenerator[str, None]:
    return
    yield


@pytest.fixture(autouse=True)
def _asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Home would start a child process, which outlives a test that does not wait for it."""
    monkeypatch.setattr("octotui.tui.glance.answers", _nobody)
