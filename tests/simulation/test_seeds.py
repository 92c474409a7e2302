"""Random upgrades, judged: whatever happens, no rule is broken and every run comes to an end.

A seed that fails is named with the command that replays it. It then gets a line in ``PAST``, and
the fault it found a test of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.port_estate import rarely
from tests.support.seeds import run_seed

__all__ = ["rarely"]
pytestmark = pytest.mark.usefixtures("rarely")

#: How many seeds are played; ``OCTOTUI_SEEDS`` asks for more, or for fewer.
SEEDS = int(os.environ.get("OCTOTUI_SEEDS", "2000"))

#: So many in one test: short enough to share the work out among processes.
CHUNK = 50

#: Seeds that found a fault once.
PAST = (
    24,  # a package that was replaced on a node had to be found and put back by hand
    873,  # a rollback whose own installer failed half-way could not be retried
    927,  # a runner that died before the stops stopped nodes that were drained no more
)


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_rule_is_broken_and_every_run_ends(tmp_path: Path, first: int) -> None:
    failed = []
    for seed in range(first, min(first + CHUNK, SEEDS)):
        try:
            run_seed(seed, tmp_path / str(seed))
        except Exception as problem:
            failed.append(f"{problem}\nreplay: python -m tests.support.seeds {seed}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("seed", PAST)
def test_a_seed_that_found_a_fault(tmp_path: Path, seed: int) -> None:
    run_seed(seed, tmp_path)
