"""What the conformance suites share: no standard test is dropped or replaced in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest


class Suite:
    """Base of a conformance suite. A subclass of a suite that replaces or drops (``= None``) one of
    its tests says why in ``replaced``; else it cannot even be defined.
    """

    #: Standard tests that a subclass replaces or drops, each with the reason why.
    replaced: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        standard = {
            name: test
            for suite in cls.__mro__
            if Suite in suite.__bases__
            for name, test in vars(suite).items()
            if name.startswith("test_")
        }
        changed = {name for name, test in standard.items() if getattr(cls, name) is not test}
        if unexplained := sorted(changed - set(cls.replaced)):
            raise TypeError(
                f"{cls.__name__} replaces {', '.join(unexplained)} without a reason in `replaced`"
            )

    def only_if(self, flag: str) -> None:
        """Skips the test unless that flag says that there is something to test."""
        if not getattr(self, flag):
            pytest.skip(f"{flag} is False")

    def needed(self, flag: str) -> None:
        """For the body of a fixture that a subclass must replace, unless that flag is False."""
        if getattr(self, flag):
            raise NotImplementedError(f"a fixture is missing, or {flag} = False")
