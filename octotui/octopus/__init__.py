"""The Octopus REST API, as this product needs it."""

import sys

# httpx brings a command line of its own, which it imports with all its libraries wherever they are
# installed: some 60 ms and 5 MB that nobody here uses.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from octotui.octopus.server import HttpOctopusServer, open_server  # noqa: E402

__all__ = ["HttpOctopusServer", "open_server"]
