"""Backups: through a node."""
