"""The recorded runs that the cockpit's tests look at are runs of the product as it is now."""

from __future__ import annotations

import pytest

from tests.cockpit_support import JOURNALS
from tests.tui.record_journals import SCENARIOS, record


# "many" takes as long as all others together, and would tell nothing that they do not.
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "many"])
def test_a_recording_is_what_a_run_journals_now(name: str) -> None:
    """Where this fails, record anew: ``python -m tests.tui.record_journals``."""
    journal, logs = record(name)
    recorded = (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8")
    # What happens at one moment on several nodes may be journalled in any order.
    assert sorted(journal.splitlines()) == sorted(recorded.splitlines())
    recorded_logs = (JOURNALS / f"{name}.log").read_text(encoding="utf-8")
    assert sorted(logs.splitlines()) == sorted(recorded_logs.splitlines())
