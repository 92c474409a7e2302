"""The Octopus REST API, as this product needs it."""

from octotui.octopus.server import HttpOctopusServer, open_server

__all__ = ["HttpOctopusServer", "open_server"]
