"""What the application asks for transports to nodes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from octotui.api import Credentials, NodeAddress, Secrets
from octotui_winrm.settings import WinrmSettings
from octotui_winrm.transport import WinrmTransport


class WinrmProvider:
    """Makes transports over WinRM."""

    name = "winrm"
    settings: type[BaseModel] = WinrmSettings

    def connect(self, node: NodeAddress, settings: Any, secrets: Secrets) -> WinrmTransport:
        """A transport to that node; it connects when it is first used."""
        return WinrmTransport(node, settings, secrets)

    def unprotected(self, settings: WinrmSettings) -> str:
        """Certificates that nobody checks. NTLM over http is encrypted by NTLM itself."""
        if settings.scheme == "https" and not settings.verify:
            return "its certificate is not checked: whoever answers gets the password"
        return ""

    def credentials(self, settings: Any, secrets: Secrets) -> Credentials:
        """The account of the connection. Raises SecretError."""
        return Credentials(settings.username, secrets.resolve(settings.password))
