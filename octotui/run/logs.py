"""The text that nodes and the run itself produce, kept in files beside the journal."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path


class NodeLogs:
    """One log file a node, and ``run.log`` for what is no node's. Secrets are masked.

    A line that cannot be written (full disk) is lost and stops nothing: whether a run may go on is
    the journal's to say, and it lies on the same disk.
    """

    def __init__(self, folder: Path, redact: Callable[[str], str] = lambda text: text) -> None:
        self._folder = folder
        self._redact = redact
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, node: str | None, text: str) -> None:
        """Appends lines, each with the time it came here."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = [f"{stamp} {line.rstrip()}\n" for line in text.splitlines() if line.strip()]
        if not lines:
            return
        path = self._folder / f"{safe_name(node or 'run')}.log"
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(self._redact("".join(lines)))

    def keep(self, name: str, text: str) -> None:
        """Keeps a log fetched from a node as a file of its own."""
        with contextlib.suppress(OSError):
            (self._folder / safe_name(name)).write_text(self._redact(text), encoding="utf-8")


def safe_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)
