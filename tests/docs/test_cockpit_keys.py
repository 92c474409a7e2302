"""The page about the full screen lists the keys that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "keys.py"


@pytest.mark.slow
def test_every_command_is_on_the_page_as_it_is() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "the page lists the keys\n")
