"""What is done on a Windows node: the agent and its typed caller."""

from octotui.windows.node import WindowsNode
from octotui.windows.run_as import RunAs, RunAsAccount, RunAsManaged, RunAsSystem

__all__ = ["RunAs", "RunAsAccount", "RunAsManaged", "RunAsSystem", "WindowsNode"]
