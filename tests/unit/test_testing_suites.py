"""What plugin authors are promised of every suite."""

from __future__ import annotations

from importlib import import_module

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from octotui.testing.suite import Suite

SUITES = [("checks", "CheckSuite"), ("source", "SourceSuite"), ("transport", "TransportSuite")]


@pytest.mark.parametrize(("module", "suite"), SUITES)
def test_it_explains_itself_and_gets_no_test_lost(module: str, suite: str) -> None:
    found = import_module(f"octotui.testing.{module}")
    assert isinstance(found.__loader__, AssertionRewritingHook), "its asserts say only what failed"
    assert issubclass(getattr(found, suite), Suite)
