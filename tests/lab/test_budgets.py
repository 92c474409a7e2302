"""Budgets of time, as ratios: what they are measured against runs on the same machine, now."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

RUNS = 7


def seconds(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def test_the_command_line_is_there_at_once() -> None:
    """Telling the version loads nothing that an upgrade needs."""
    octotui = str(Path(sys.executable).parent / "octotui")
    seconds(octotui, "--version")  # the first one may compile
    bare, full = [], []
    for _ in range(RUNS):  # in turns, so that a busy machine slows both
        bare.append(seconds(sys.executable, "-c", "pass"))
        full.append(seconds(octotui, "--version"))
    assert median(full) <= 12 * median(bare), (median(full), median(bare))
