"""The entry point: offers the transport ``winrm``."""

from __future__ import annotations

from collections.abc import Sequence

from octotui.api import TransportProvider, hookimpl
from octotui_winrm.provider import WinrmProvider

octotui_api = 1


@hookimpl
def octotui_transports() -> Sequence[TransportProvider]:
    """WinRM, as every supported Windows Server has it."""
    return [WinrmProvider()]
