"""Executing an upgrade: runner, journal, lock, control commands."""
