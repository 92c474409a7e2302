"""The transport suite watches over itself: no standard test gets lost without a word."""

from __future__ import annotations

import pytest

from octotui.testing.transport import TransportSuite


def test_a_replaced_test_needs_a_reason() -> None:
    with pytest.raises(TypeError, match="test_exit_code_is_the_programs_own"):
        type("Careless", (TransportSuite,), {"test_exit_code_is_the_programs_own": None})


def test_a_reason_is_enough() -> None:
    reason = {"test_exit_code_is_the_programs_own": "the protocol has none"}
    body = {"test_exit_code_is_the_programs_own": None, "replaced": reason}
    assert type("Careful", (TransportSuite,), body)
