"""Canvases: a line at a time, no widget for a node."""
