"""What the screens say, held against every recorded run cut off again and again.

Pictures show whether it looks right; here is what holds of every run at every moment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from rich.cells import cell_len
from textual.content import Content

from octotui.api.events import Event
from octotui.tui.commands import COMMANDS
from octotui.tui.screens.decision_text import decision_title, happened_text, stands_text
from octotui.tui.screens.node_text import facts_text, node_head, node_steps
from octotui.tui.screens.plan_text import (
    approval_text,
    checks_title,
    expected_text,
    findings_text,
    plan_head,
    steps_text,
)
from octotui.tui.screens.report_text import report_head, report_text
from octotui.tui.screens.run_text import run_head
from octotui.tui.screens.waiting_text import waiting_text
from octotui.tui.screens.waive_text import waive_lines
from octotui.tui.shown_key import shown_key
from octotui.tui.situation import Situation
from octotui.tui.widgets.clocks import clock_pieces
from octotui.tui.widgets.node_heading import heading
from octotui.tui.widgets.node_rows import rows
from octotui.tui.widgets.phases import expectations, phases_now
from octotui.tui.widgets.step_table import describe, lay_out, mark
from octotui.tui.widgets.timeline import now_line, phase_line
from octotui.tui.words import (
    FINDING_MARKS,
    RUN_MARKS,
    SERVING_MARKS,
    STEP_MARKS,
    date_and_time,
)
from octotui.upgrade.phases import WAITING
from octotui.view import NodeView, RunView
from tests.cockpit_support import JOURNALS

NAMES = sorted(path.stem for path in JOURNALS.glob("*.jsonl"))

#: What a terminal would obey, or what turns the order of letters round.
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

#: States and phases as the journal writes them, which is no way to tell a person.
INTERNAL = re.compile("rolling_back|rolled_back|needs_person")

WIDTH = 78


def moments(name: str, every: int) -> Iterator[tuple[RunView, float]]:
    """The run after every so many of its events, and at its end; each some seconds later."""
    view = RunView()
    lines = (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    for seq, line in enumerate(lines, 1):
        data = json.loads(line)
        event = Event(seq, data["at"], "r", data["subject"], data["kind"], data["data"])
        view.apply(event)
        if seq % every == 0 or seq == len(lines):
            yield view, event.at + 7.0


def texts(view: RunView, now: float, alive: bool) -> Iterator[Content]:
    """Everything that screens say of a run at that moment."""
    situation = Situation(view, alive)
    yield run_head(situation, now, now - 20.0)
    yield waiting_text(situation, now, 4)
    yield plan_head(situation, now)
    yield Content(checks_title(view))
    yield findings_text(view)
    yield steps_text(view, WIDTH)
    yield approval_text(situation, expected_text(view))
    for name in list(view.nodes)[:3]:
        yield from (node_head(view, name, now), node_steps(view, name, now), facts_text(view, name))
    if view.state in WAITING or not alive:
        yield Content(decision_title(situation))
        yield happened_text(situation, "last words")
        yield stands_text(view, now)
    if view.outcome:
        yield report_head(view)
        yield report_text(view, "report.md", WIDTH)
        yield from (text for text, _ in waive_lines(view))
    for command in COMMANDS:
        if command.possible(situation):
            yield Content(command.consequence(view) + command.word(view))


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_made_at_every_moment_and_obeyed_by_no_terminal(name: str) -> None:
    for view, now in moments(name, 40 if name == "many" else 6):
        for alive in (True, False):
            for text in texts(view, now, alive):
                assert not OBEYED.search(text.plain), text.plain
                assert not INTERNAL.search(text.plain), text.plain
                assert "None" not in text.plain, text.plain


@pytest.mark.parametrize("name", NAMES)
def test_canvases_fit_into_80_columns_and_tell_states_by_glyph_and_word(name: str) -> None:
    for view, now in moments(name, 60 if name == "many" else 6):
        phases = phases_now(view, now, expectations(view.plan))
        for pieces in (
            phase_line(phases, WIDTH),
            now_line(view, phases, now, WIDTH),
            clock_pieces(view, now, WIDTH),
        ):
            assert cell_len("".join(text for text, _ in pieces)) <= WIDTH
        found = rows(view, now)
        assert all(row.glyph and (row.doing or row.service) for row in found)
        assert cell_len(heading(found, len(view.nodes))) <= WIDTH
        table = lay_out(view)
        for step_id in table.steps.values():
            glyph, word, _ = mark(view.steps[step_id])
            assert glyph
            assert word in describe(view.steps[step_id], now)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_waited_for_is_told_with_its_beginning(name: str) -> None:
    for view, now in moments(name, 5):
        said = waiting_text(Situation(view, alive=True), now, 100).plain
        for step in view.running_steps():
            if step.waiting:
                assert step.waiting in said
                assert "waits since " in said
        for step in view.failed_steps():
            assert step.title in said
        assert len(waiting_text(Situation(view, alive=True), now, 4).plain.splitlines()) <= 4


#: It wipes the screen, writes into the clipboard, and turns the order of letters round.
EVIL = "\x1b[2J\x1b]52;c;cm0=\x07\u202e"


def poisoned(value: Any, key: str = "") -> Any:
    """Event data with evil added to every text that comes from nodes, plugins and people."""
    if isinstance(value, dict):
        return {name: poisoned(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, key) for item in value]
    return value + EVIL if isinstance(value, str) and key in _FOREIGN else value


_FOREIGN = {
    "what", "meaning", "left", "next", "tail", "reason", "text", "evidence", "fix", "problem", "by",
    "answer", "os", "identity", "install_directory", "lines", "cluster", "computer", "powershell",
}  # fmt: skip


@pytest.mark.parametrize("name", ["way-back-failed", "refused", "warned", "left-out", "many"])
def test_what_nodes_say_is_shown_and_not_obeyed(name: str) -> None:
    view = RunView()
    lines = (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    for seq, line in enumerate(lines, 1):
        data = json.loads(line)
        data["data"] = poisoned(data["data"])
        event = Event(seq, data["at"], "r", data["subject"], data["kind"], data["data"])
        view.apply(event)
    found = [text.plain for alive in (True, False) for text in texts(view, event.at + 7.0, alive)]
    assert any("\N{REPLACEMENT CHARACTER}" in text for text in found)
    assert [text for text in found if OBEYED.search(text)] == []


@pytest.mark.parametrize("marks", [STEP_MARKS, FINDING_MARKS, RUN_MARKS])
def test_marks_have_glyph_and_word(marks: dict[str, tuple[str, str, str]]) -> None:
    for glyph, word, _ in marks.values():
        assert len(glyph) == 1
        assert word.strip()
    assert all(len(text.split()) > 1 for text, _ in SERVING_MARKS.values())


def whole(name: str) -> RunView:
    return list(moments(name, 10_000))[-1][0]


def test_no_way_back_is_promised_where_there_is_none() -> None:
    text = approval_text(Situation(whole("warned"), alive=True), Content("")).plain
    assert "no way back once a package is installed" in text
    assert "can be put back" not in text


def test_what_a_person_waived_is_counted_as_that_and_not_as_a_failure() -> None:
    assert checks_title(whole("warned")) == "! 1 waived ! 1 warn ✓ 9 pass"


def test_the_failure_of_the_way_back_is_told_before_the_one_that_led_there() -> None:
    view = whole("way-back-failed")
    first, *_, last = happened_text(Situation(view, alive=True), "").plain.splitlines()
    assert first.startswith("✗ FAILED OCTO1: the old package back")
    assert last.startswith("✗ before that OCTO1: install the new package")
    retry = next(command for command in COMMANDS if command.id == "run.retry")
    assert "install the new package" not in retry.consequence(view)


def test_nodes_that_do_the_same_share_a_line() -> None:
    said = waiting_text(Situation(whole("many"), alive=True), 1_760_000_700.0, 6).plain
    assert said.count("wait until it serves the new version") == 2, "one of them fails otherwise"
    assert re.search(r"● \d\d nodes: wait until it serves", said)


def test_a_run_that_nobody_works_on_is_not_said_to_run() -> None:
    view = next(v for v, _ in moments("resumed", 1) if v.state == "migrating" and v.running_steps())
    said = waiting_text(Situation(view, alive=False), view.state_since + 60.0, 4).plain
    assert said.startswith("✗ its process is gone")
    assert "▶" not in said


def test_texts_name_the_keys_that_commands_have_here() -> None:
    assert shown_key("help", {}) == "?"
    assert shown_key("help", {"help": "f5, x"}) == "f5"
    moved = {"run.resume": "U", "decision.open": "x", "run.approve": "G", "run.waive": "W"}
    view = whole("joining-failed")
    dead, alive = Situation(view, alive=False), Situation(view, alive=True)
    view.outcome = ""
    assert "; U takes it up, x says more" in waiting_text(dead, 0.0, 4, moved).plain
    assert ": x shows the choices" in waiting_text(alive, 0.0, 4, moved).plain
    ready = Situation(whole("warned"), alive=True)
    assert "G approves: " in approval_text(ready, Content(""), moved).plain
    assert "W goes on without way-back" in report_text(whole("no-way-back"), "", 78, moved).plain


def test_facts_are_told_with_the_time_that_they_are_of() -> None:
    *_, (view, _) = moments("resumed", 6)
    assert view.nodes["OCTO1"].asked is not None
    read = date_and_time(view.nodes["OCTO1"].asked)
    assert f"as read at {read}" in facts_text(view, "OCTO1").plain
    assert "as read" not in facts_text(RunView(nodes={"OCTO1": NodeView("OCTO1")}), "OCTO1").plain
