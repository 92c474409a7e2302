"""What is said of a run that is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from octotui.cli.detached import detached
from octotui.view import fold
from tests.cockpit_support import Recorded, enters, is_end


@pytest.mark.parametrize(
    ("journal", "until", "alive", "words"),
    [
        ("held", enters("stopping"), True, "The run goes on: draining."),
        ("held", enters("staging"), True, "waits for approval; nothing was changed"),
        ("held", enters("migrating"), True, "waits before migrating, as asked"),
        ("joining-failed", is_end, True, "waits for a person in joining, with no time limit"),
        ("held", enters("stopping"), False, "process is gone, in draining; nothing goes on"),
    ],
)
def test_nothing_is_said_to_go_on_that_does_not(
    tmp_path: Path, journal: str, until: object, alive: bool, words: str
) -> None:
    run = Recorded(tmp_path, journal, until, alive=alive)  # type: ignore[arg-type]
    try:
        said = detached(run.run, fold(run.journal.events()))
        assert words in said[0]
        assert run.run.run_id in said[1]
        assert ("goes on:" in said[0]) == (words.startswith("The run goes on"))
    finally:
        run.close()
