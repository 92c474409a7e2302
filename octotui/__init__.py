"""The upgrade cockpit for self-hosted Octopus Deploy."""

__version__ = "0.1.0"
