"""Logs that were fetched from nodes as a whole, an installer's above all. Only for use in a thread.

They lie beside the journal, named after their node and their job.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octotui.run.directory import RunDirectory
from octotui.run.logs import safe_name
from octotui.tui.log_tail import LogLine, Severity, parse, printable

#: What Windows Installer writes at the action that failed, and at the end of an installation that
#: did. Its codes for success are 0, 1641 and 3010.
_FAILED: Final = re.compile(
    r"Return value 3\b|MainEngineThread is returning (?!0\b|1641\b|3010\b)\d+"
)

#: What the jobs that leave a log install or remove, by the names that the steps give them.
_JOBS: Final = {
    "msi-target": "new version",
    "msi-installed": "old version",
    "msi-uninstall": "removing the new version",
}


@dataclass(frozen=True, slots=True)
class KeptLog:
    """One log. ``title`` says which installation wrote it, and at which try."""

    path: Path
    title: str


def kept_logs(run: RunDirectory, node: str) -> list[KeptLog]:
    """The logs that were fetched from a node, the oldest first."""
    prefix = f"{safe_name(node)}-{run.run_id}."
    found = [path for path in run.logs.glob("*.log") if path.name.startswith(prefix)]
    found.sort(key=lambda path: (path.stat().st_mtime, path.name))
    return [KeptLog(path, _title(path.stem.removeprefix(prefix))) for path in found]


def read_kept(path: Path) -> list[LogLine]:
    """Its lines. They have the log's own times in them, and none of ours. Raises OSError."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return [_line(line) for line in text.splitlines() if line.strip()]


def _line(text: str) -> LogLine:
    if _FAILED.search(text):
        return LogLine("", "", Severity.ERROR, printable(text))
    line = parse(text, "")
    return LogLine("", "", line.severity, line.text)


def _title(job: str) -> str:
    """Of a job's name: msi-target.2 is the second try with the new version."""
    name, _, attempt = job.partition(".")
    tries = f", try {attempt.partition('.')[0]}" if attempt else ""
    return f"{_JOBS.get(name, name)}{tries}"
