"""Conformance suites for plugin authors: subclass one in your tests and give it your plugin."""

import contextlib

with contextlib.suppress(ImportError):
    import pytest

    # The suites' asserts explain themselves in a plugin author's own test run, too.
    pytest.register_assert_rewrite(
        *(f"octotui.testing.{suite}" for suite in ("checks", "source", "transport"))
    )
