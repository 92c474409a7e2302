"""A replay without a screen: its clock, what had been written by its time, its bar."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.cli.replay import replay
from octotui.run.directory import RunDirectory
from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.recording import KEPT_EACH, Recording, load
from octotui.tui.replay import FASTEST, QUIET, ReplayClock, ReplayStore
from octotui.tui.widgets.log_buffer import LogBuffer, LogFilter
from octotui.tui.widgets.paint import widths
from octotui.tui.widgets.replay_bar import bar_pieces, cells
from octotui.view import RunView, fold
from tests.cockpit_support import JOURNALS, Recorded, is_end


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Recorded]:
    """A run in which a node failed; nobody works on it."""
    made = Recorded(tmp_path, "joining-failed", is_end, alive=False)
    yield made
    made.close()


@pytest.fixture
def store(run: Recorded, hand: Hand) -> ReplayStore:
    """Its replay, standing at its beginning."""
    made = ReplayStore(run.run, load(run.run), hand)
    made.clock.pause()
    return made


def line(at: str, text: str = "text") -> LogLine:
    return LogLine(at, "OCTO1", Severity.INFO, text)


def told(*kinds: tuple[float, str, dict[str, Any]]) -> Recording:
    events = [Event(n, at, "r", "run", kind, data) for n, (at, kind, data) in enumerate(kinds, 1)]
    return Recording(events, [])


# --- the clock ----------------------------------------------------------------------------------


def test_time_runs_at_the_speed_and_ends_at_the_end(hand: Hand) -> None:
    clock = ReplayClock(1000.0, 1100.0, hand)
    hand.at += 5
    assert (clock.time(), clock.playing) == (1000.0, False)
    clock.play()
    hand.at += 5
    assert clock.time() == 1005.0
    clock.set_speed(8)
    hand.at += 5
    assert (clock.time(), clock.playing) == (1045.0, True)
    hand.at += 50
    assert (clock.time(), clock.playing) == (1100.0, False)


def test_it_stands_where_it_was_paused_and_plays_on_from_there(hand: Hand) -> None:
    clock = ReplayClock(1000.0, 1100.0, hand)
    clock.play()
    hand.at += 10
    clock.pause()
    hand.at += 10
    assert clock.time() == 1010.0
    clock.play()
    hand.at += 1
    assert clock.time() == 1011.0


def test_seeking_stays_within_the_run_and_does_not_stop_it(hand: Hand) -> None:
    clock = ReplayClock(1000.0, 1100.0, hand)
    clock.play()
    clock.seek(0.0)
    assert (clock.time(), clock.playing) == (1000.0, True)
    clock.seek(5000.0)
    assert clock.time() == 1100.0
    clock.seek(1050.0)
    hand.at += 1
    assert clock.time() == 1051.0


def test_playing_at_the_end_begins_anew(hand: Hand) -> None:
    clock = ReplayClock(1000.0, 1100.0, hand)
    clock.seek(1100.0)
    clock.play()
    hand.at += 1
    assert clock.time() == 1001.0


@pytest.mark.parametrize(("seconds", "speed"), [(30, 1), (239, 1), (2000, 16), (10**6, FASTEST)])
def test_a_run_is_played_in_about_two_minutes(hand: Hand, seconds: int, speed: int) -> None:
    recording = told((1000.0, "x", {}), (1000.0 + seconds, "x", {}))
    assert ReplayStore(RunDirectory(Path("/run")), recording, hand).clock.speed == speed


# --- what had been written ----------------------------------------------------------------------


def test_the_view_is_what_the_events_until_then_tell(store: ReplayStore) -> None:
    recording = store.recording
    for moment in [*recording.moments, *reversed(recording.moments)]:
        store.clock.seek(moment.at)
        store.poll()
        assert store.now() == moment.at
        assert store.view == fold(e for e in recording.events if e.at <= moment.at)


def test_lines_come_at_their_time_and_go_on_the_way_back(store: ReplayStore) -> None:
    store.move("end")
    every = store.lines_after(0)
    assert len(every) == store.line_count > 50
    store.move("start")
    assert (store.line_count, store.lines_gone(len(every))) == (0, every)
    seen = 0
    while store.now() < store.clock.end:
        store.move("forth")
        seen += len(store.lines_after(seen))
        assert all(line.at <= _stamp(store.now()) for line in store.lines_after(0))
        assert store.lines_gone(seen) == []
    assert seen == len(every)


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def test_a_clock_that_was_set_back_does_not_turn_the_order() -> None:
    events = [Event(n, at, "r", "run", "x", {}) for n, at in enumerate((100.0, 50.0, 120.0), 1)]
    stamps = ("1970-01-01T00:01:45Z", "1970-01-01T00:01:00Z", "", "1970-01-01T00:01:50Z")
    recording = Recording(events, [line(at) for at in stamps])
    assert (recording.begin, recording.end) == (100.0, 120.0)
    assert [recording.events_until(at) for at in (99.0, 100.0, 119.0, 120.0)] == [0, 2, 2, 3]
    assert [recording.lines_until(at) for at in (104.0, 105.0, 110.0)] == [0, 3, 4]


def test_a_run_that_lives_is_played_up_to_now(tmp_path: Path) -> None:
    run = Recorded(tmp_path, "succeeded", is_end)
    try:
        recording = load(run.run, now=lambda: run.at + 30.0)
        assert recording.end == run.at + 30.0
    finally:
        run.close()


def test_a_run_that_wrote_nothing_cannot_be_played(tmp_path: Path) -> None:
    run = Recorded(tmp_path, "succeeded", lambda event: True, alive=False)
    try:
        with pytest.raises(OctotuiError, match="has written nothing yet"):
            load(run.run)
    finally:
        run.close()


async def test_nothing_can_be_sent(store: ReplayStore, run: Recorded) -> None:
    with pytest.raises(OctotuiError, match="retry was not sent"):
        await store.send("retry", "")
    assert run.commands() == []


def test_without_a_terminal_it_says_what_to_use(
    run: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    error = CliRunner().invoke(replay, []).exception
    assert isinstance(error, OctotuiError)
    assert f"octotui attach --plain {run.run.run_id}" in str(error)
    assert f"octotui report {run.run.run_id}" in str(error)


# --- events that matter -------------------------------------------------------------------------


def test_phases_failures_waits_decisions_and_the_end_are_moments(tmp_path: Path) -> None:
    run = Recorded(tmp_path, "left-out", alive=False)
    try:
        moments = load(run.run).moments
    finally:
        run.close()
    kinds = [moment.kind for moment in moments]
    assert kinds[-1] == "end"
    assert {"phase", "no return", "failed", "waits", "decision"} < set(kinds)
    words = [moment.text for moment in moments]
    assert "OCTO2: install the new package" in words
    assert "needs person: joining" in words


def test_a_refused_command_decides_nothing() -> None:
    command = {"command": "retry", "argument": "", "by": "ann", "answer": "refused: no", "hold": []}
    recording = told((1.0, "command", command), (2.0, "command", {**command, "answer": "done"}))
    assert [(m.at, m.text) for m in recording.moments] == [(2.0, "ann: retry")]


@pytest.mark.parametrize("path", sorted(JOURNALS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_run_can_be_gone_through_from_event_to_event(path: Path, hand: Hand) -> None:
    told_by = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    recording = told(*((event["at"], event["kind"], event["data"]) for event in told_by))
    store = ReplayStore(RunDirectory(Path("/run")), recording, hand)
    on = []
    while not on or store.now() < recording.end:
        store.move("next")
        on.append(store.now())
    back = []
    while store.now() > recording.begin:
        store.move("previous")
        back.append(store.now())
    assert on == sorted(set(on))
    assert back == sorted(set(back), reverse=True)
    assert {moment.at for moment in recording.moments} <= {*on, *back}


def test_going_to_an_event_stays_there(store: ReplayStore, hand: Hand) -> None:
    store.move("play")
    store.move("next")
    at = store.now()
    hand.at += 100
    assert (store.now(), store.clock.playing) == (at, False)


def test_quiet_stretches_are_passed_over_while_playing(hand: Hand) -> None:
    recording = told((0.0, "x", {}), (3.0, "x", {}), (90.0, "x", {}), (100.0, "x", {}))
    store = ReplayStore(RunDirectory(Path("/run")), recording, hand)
    store.poll()
    assert store.now() == 0.0
    store.move("skip")
    assert store.now() == 0.0, f"what comes within {QUIET} seconds is waited for"
    hand.at += 4
    store.poll()
    assert store.now() == 89.0
    store.clock.pause()
    store.clock.seek(10.0)
    store.poll()
    assert store.now() == 10.0, "one that stands is left there"


# --- the bar ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [20, 38, 58, 78, 98, 99, 100, 118, 158, 198])
def test_the_bar_fits_and_tells_time_speed_and_state(store: ReplayStore, width: int) -> None:
    store.move("end")
    pieces = bar_pieces(store, width)
    text = "".join(text for text, _ in pieces)
    assert text.startswith("■")
    assert f"{store.clock.speed}x" in text
    assert ("at the end" in text) == (width >= 100)
    if width >= 38:
        assert widths(pieces) <= width


def test_the_bar_marks_failure_and_no_return_and_where_the_clock_is(store: ReplayStore) -> None:
    store.clock.seek(store.clock.begin)
    start = "".join(text for text, _ in cells(store.recording, store.now(), 60))
    assert start[0] == "╺"
    assert (start.count("┃"), start.count("✗")) == (1, 1)
    assert start.index("┃") < start.index("✗")
    end = "".join(text for text, _ in cells(store.recording, store.clock.end, 60))
    assert (end[-1], end[0], len(end)) == ("╺", "━", 60)


def test_the_bar_is_the_same_where_nothing_changed(store: ReplayStore, hand: Hand) -> None:
    before = bar_pieces(store, 120)
    hand.at += 10
    assert bar_pieces(store, 120) == before
    store.move("play")
    assert bar_pieces(store, 120) != before


# --- lines that go from the log -----------------------------------------------------------------


@pytest.mark.parametrize("width", [0, 40])
@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("text", ["", "7"])
def test_a_log_that_went_back_is_as_if_the_lines_had_not_come(
    width: int, context: bool, text: str
) -> None:
    lines = [
        LogLine("", "OCTO1", Severity.ERROR if n % 5 == 0 else Severity.INFO, f"{n} " * (n % 30))
        for n in range(100)
    ]

    def filled(count: int) -> LogBuffer:
        buffer = LogBuffer(1000)
        buffer.set_width(width, 10 if width else 0)
        buffer.set_filter(LogFilter(text=text), context)
        buffer.extend(lines[:count])
        return buffer

    for kept in range(100):
        buffer, fresh = filled(100), filled(kept)
        assert buffer.take_back(100 - kept)
        for _ in range(2):
            assert list(buffer.all_shown()) == list(fresh.all_shown())
            assert (buffer.rows, buffer.bad_rows(10)) == (fresh.rows, fresh.bad_rows(10))
            buffer.extend(lines[kept:])
            fresh.extend(lines[kept:])


def test_a_log_that_has_forgotten_lines_begins_anew() -> None:
    buffer = LogBuffer(10)
    buffer.extend(line("", str(n)) for n in range(50))
    assert not buffer.take_back(5)
    assert (len(buffer), buffer.rows) == (0, 0)
    buffer.extend([line("", "first")])
    assert [shown.text for shown in buffer.all_shown()] == ["first"]


# --- runs that are long, or damaged -------------------------------------------------------------


def test_no_way_folds_more_than_a_part_of_a_long_run(
    run: Recorded, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = {"step": "staging.download", "node": None, "text": "x", "done": None, "total": None}
    for _ in range(7 * KEPT_EACH // 2):
        run.tell("step.progress", step)
    store = ReplayStore(run.run, load(run.run), hand)
    store.clock.pause()
    folded: list[int] = []
    apply = RunView.apply

    def counted(view: RunView, event: Event) -> None:
        folded.append(event.seq)
        apply(view, event)

    monkeypatch.setattr(RunView, "apply", counted)
    for move in ("end", "far-back", "back", "forth", "start", "end", "previous"):
        before = len(folded)
        store.move(move)
        assert len(folded) - before <= KEPT_EACH
        count = store.recording.events_until(store.now())
        assert store.view.seq == count


def test_a_view_that_was_kept_is_not_changed_by_going_on(run: Recorded, hand: Hand) -> None:
    store = ReplayStore(run.run, load(run.run), hand)
    store.clock.pause()
    store.move("end")
    at_the_end = store.view.copy()
    store.move("start")
    assert not store.view.outcome
    assert not store.view.steps
    store.move("end")
    assert store.view == at_the_end == fold(store.recording.events)


def test_of_very_long_logs_the_newest_lines_are_kept_and_the_others_counted(
    run: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(run.run)
    monkeypatch.setattr("octotui.tui.recording.KEPT_LINES", 10)
    recording = load(run.run)
    assert recording.lines == whole.lines[-10:]
    assert recording.lines_left_out == len(whole.lines) - 10 > 0
    assert whole.lines_left_out == 0


@pytest.mark.parametrize("damage", ["cut", "misfit"])
def test_a_damaged_run_is_no_replay_and_it_is_said_why(run: Recorded, damage: str) -> None:
    run.tell("step.ended", {"step": "of nobody"})
    if damage == "cut":
        run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = 5")
    with pytest.raises(OctotuiError, match="octotui bundle"):
        load(run.run)


def test_looking_for_a_recording_writes_nothing(run: Recorded) -> None:
    run.close()
    (run.run.path / "lock").unlink(missing_ok=True)
    before = sorted(run.run.path.rglob("*"))
    load(run.run)
    assert sorted(run.run.path.rglob("*")) == before
