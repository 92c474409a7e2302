"""Loading plugins in isolation, naming them, calling their hooks."""

from octotui.plugins.capabilities import Capabilities
from octotui.plugins.discovery import InstalledPlugin, PluginProblem, installed_plugins
from octotui.plugins.registry import Plugins

__all__ = ["Capabilities", "InstalledPlugin", "PluginProblem", "Plugins", "installed_plugins"]
