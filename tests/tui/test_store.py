"""The reader behind the screens: it takes in a bounded part at a time, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.tui.store import EVENTS, Store
from octotui.view import RunView
from tests.cockpit_support import Recorded, enters


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Recorded]:
    recorded = Recorded(tmp_path, "succeeded", enters("stopping"))
    yield recorded
    recorded.close()


def progress(run: Recorded, count: int) -> None:
    for n in range(count):
        step = {"step": "staging.download", "node": None, "text": f"{n}", "done": None}
        run.tell("step.progress", {**step, "total": None}, "step:staging.download")


def test_a_poll_takes_in_a_bounded_part_of_the_journal_and_says_that_there_is_more(
    run: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(run.run)
    before = store.view.seq
    progress(run, 3 * EVENTS + 7)
    applied: list[int] = []
    original = RunView.apply

    def apply(view: RunView, event: Event) -> None:
        applied.append(event.seq)
        original(view, event)

    monkeypatch.setattr(RunView, "apply", apply)
    taken = 0
    while store.poll():
        assert not store.up_to_date
        assert len(applied) - taken <= EVENTS
        taken = len(applied)
    assert store.up_to_date
    assert applied == list(range(before + 1, before + 3 * EVENTS + 8))


def test_a_store_knows_the_whole_journal_when_it_is_made(run: Recorded) -> None:
    progress(run, 2 * EVENTS)
    store = Store(run.run)
    assert store.up_to_date
    assert store.first_seq == store.view.seq == run.journal.last("step.progress").seq


def test_lines_that_came_meanwhile_are_handed_out_once(run: Recorded) -> None:
    store = Store(run.run)
    log = run.run.logs / "OCTO1.log"
    seen = store.line_count
    written = [f"line {n}" for n in range(5000)]
    with log.open("a") as file:
        file.writelines(f"2027-01-01T00:00:00Z {line}\n" for line in written)
    found = []
    more = True
    while more:
        more = store.poll()
        found += store.lines_after(seen)
        seen = store.line_count
    assert [line.text for line in found if line.node == "OCTO1"][-5000:] == written


def cut(run: Recorded) -> None:
    run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = (SELECT max(seq) FROM event)")


@pytest.mark.parametrize("damage", ["cut", "misfit"])
def test_a_run_that_is_damaged_is_refused_in_a_sentence(run: Recorded, damage: str) -> None:
    run.tell("step.ended", {"step": "of nobody"})
    if damage == "cut":
        cut(run)
    with pytest.raises(OctotuiError, match="octotui bundle"):
        Store(run.run)


def test_what_becomes_unreadable_leaves_the_view_as_it_was(run: Recorded) -> None:
    store = Store(run.run)
    seen = store.view.seq
    progress(run, 2)
    cut(run)
    assert not store.poll()
    assert "is not readable" in str(store.fault)
    assert store.view.seq == seen + 1
    run.journal._db.execute("UPDATE event SET data = '{}', kind = 'x' WHERE data = '{'")
    store.poll()
    assert (store.fault, store.view.seq) == (None, seen + 2)


def test_after_an_event_that_does_not_fit_nothing_is_guessed(run: Recorded) -> None:
    store = Store(run.run)
    state = store.view.state
    run.tell("step.ended", {"step": "of nobody"})
    run.tell("state", {"to": "migrating", "waiting_phase": ""})
    for _ in range(3):
        assert not store.poll()
    assert "cannot be understood" in str(store.fault)
    assert store.view.state == state


def test_looking_at_a_run_writes_nothing_into_its_folder(run: Recorded) -> None:
    run.close()
    (run.run.path / "lock").unlink(missing_ok=True)
    before = {path: path.stat().st_mtime_ns for path in run.run.path.rglob("*")}
    Store(run.run).poll()
    assert {path: path.stat().st_mtime_ns for path in run.run.path.rglob("*")} == before
