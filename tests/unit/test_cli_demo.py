"""The demo: what one leaves behind is in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from octotui.api.errors import OctotuiError
from octotui.cli.demo import demo


def test_each_demo_upgrades_a_cluster_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was left half-way holds its cluster for ever, which is gone with its lab."""
    started: list[list[str]] = []

    @contextmanager
    def lab(profile: Path, options: list[str]) -> Iterator[None]:
        started.append(options)
        raise OctotuiError("that is enough")
        yield

    monkeypatch.setattr("octotui.cli.demo.lab", lab)
    for _ in range(2):
        CliRunner().invoke(demo)
    first, second = ([o for o in each if o.startswith("--installation-id=")] for each in started)
    assert len(first) == len(second) == 1
    assert first != second
