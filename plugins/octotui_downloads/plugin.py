"""The entry point: offers the source ``official``."""

from __future__ import annotations

from collections.abc import Sequence

from octotui.api import SourceProvider, hookimpl
from octotui_downloads.provider import OfficialProvider

octotui_api = 1


@hookimpl
def octotui_sources() -> Sequence[SourceProvider]:
    """The vendor's download site, or one that looks like it."""
    return [OfficialProvider()]
