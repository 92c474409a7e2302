"""A WinRM server: WS-Management with the command shell, as Windows serves it.

Knows nothing of the simulated world: whatever a client runs goes to a handler.
"""

from octotui_lab.wsman.authentication import write_ntlm_users
from octotui_lab.wsman.endpoint import WsmanEndpoint
from octotui_lab.wsman.shells import Handler

__all__ = ["Handler", "WsmanEndpoint", "write_ntlm_users"]
