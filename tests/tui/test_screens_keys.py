"""Keys: what each does at each screen, tried with a recorded run and a real journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from octotui.tui.screens.confirm import Confirm
from octotui.tui.screens.help import HelpScreen
from octotui.tui.screens.node import NodeScreen
from octotui.tui.widgets.log_view import LogView
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.step_matrix import StepMatrix
from tests.cockpit_support import Make, Recorded, begins, enters, is_end, sent


@asynccontextmanager
async def cockpit(
    run: Recorded, size: tuple[int, int] = (100, 30), **settings: Any
) -> AsyncIterator[tuple[Cockpit, Pilot[Any]]]:
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings(**settings))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


async def settle(app: Cockpit, pilot: Pilot[Any]) -> None:
    """As after a tick."""
    app.tick()
    await pilot.pause()


def place(app: Cockpit) -> str:
    return str(getattr(app.screen, "PLACE", type(app.screen).__name__))


async def until_sent(run: Recorded, pilot: Pilot[Any]) -> list[tuple[str, str]]:
    """A command is written in a thread: waits for it, seconds at most."""
    for _ in range(1000):
        if commands := sent(run):
            return commands
        await pilot.pause(0.02)
    return []


async def test_one_key_approves_and_the_run_is_shown_once_it_works(recorded: Make) -> None:
    run = recorded("succeeded", enters("staging"))
    async with cockpit(run) as (app, pilot):
        assert place(app) == "plan"
        await pilot.press("A")
        assert await until_sent(run, pilot) == [("approve", "")]
        run.tell("state", {"from": "ready", "to": "staging", "trigger": "approve",
                           "waiting_phase": "", "changed": False})  # fmt: skip
        await settle(app, pilot)
        assert place(app) == "run"


async def test_the_report_comes_by_itself_and_leads_to_the_run_and_the_plan(recorded: Make) -> None:
    run = recorded("succeeded", is_end)
    async with cockpit(run) as (app, pilot):
        assert place(app) == "report"
        await pilot.press("v")
        assert place(app) == "run"
        await pilot.press("escape", "p")
        assert place(app) == "plan"
        await pilot.press("escape")
        assert place(app) == "report"


async def test_a_failure_opens_the_decision_where_waiting_is_the_default(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        assert place(app) == "decision"
        await pilot.press("enter")
        assert (place(app), sent(run)) == ("run", [])
        await settle(app, pilot)
        assert place(app) == "run", "once refused, it does not open again by itself"
        await pilot.press("d")
        assert place(app) == "decision"
        await pilot.press("escape")
        assert (place(app), sent(run)) == ("run", [])


async def test_retry_is_sent_once_its_consequence_was_read(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("r")
        assert isinstance(app.screen, Confirm)
        await pilot.press("n")
        assert (place(app), sent(run)) == ("decision", [])
        await pilot.press("r", "y")
        assert await until_sent(run, pilot) == [("retry", "")]


async def test_a_node_is_left_out_by_typing_its_name_only(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("L", "y", "enter")
        assert isinstance(app.screen, Confirm)
        assert sent(run) == []
        await pilot.press(*"OCTO2", "enter")
        assert await until_sent(run, pilot) == [("leave-out", "OCTO2")]


def two_failed(recorded: Make) -> Recorded:
    run = recorded("joining-failed", is_end)
    failure = {"outcome": "failed", "error": {"what": "it does not answer"}}
    where = {"step": "joining.serving@OCTO3", "node": "OCTO3", "phase": "joining"}
    run.tell("step.ended", where | failure)
    return run


async def test_each_node_that_failed_is_a_choice_of_its_own(recorded: Make) -> None:
    run = two_failed(recorded)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        ids = [option.id for option in app.screen.query_one("#choices", OptionList).options]
        assert ids == ["wait", "run.retry", "run.leave-out@OCTO2", "run.leave-out@OCTO3"]
        await pilot.press("L")
        assert (place(app), sent(run)) == ("decision", []), "which one is chosen first"
        await pilot.press("down", "enter")
        await pilot.press(*"OCTO2", "enter")
        assert sent(run) == [], "it asks about the other one"
        await pilot.press(*"OCTO3", "enter")
        assert await until_sent(run, pilot) == [("leave-out", "OCTO3")]


async def test_the_node_under_the_cursor_is_left_out(recorded: Make) -> None:
    run = two_failed(recorded)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("escape")
        grid = app.screen.query_one(NodeGrid)
        while grid.node != "OCTO3":
            await pilot.press("down")
        await pilot.press("L")
        assert isinstance(app.screen, Confirm)
        await pilot.press(*"OCTO3", "enter")
        assert await until_sent(run, pilot) == [("leave-out", "OCTO3")]


async def test_in_the_table_of_steps_the_node_of_the_step_under_the_cursor_is_meant(
    recorded: Make,
) -> None:
    run = two_failed(recorded)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("escape", "t")
        matrix = app.screen.query_one(StepMatrix)
        while not matrix.step_id.endswith("@OCTO3"):
            await pilot.press("down")
        await pilot.press("L")
        assert "OCTO3 stays" in str(app.screen.query_one("#consequence").render())


@pytest.mark.parametrize(("node", "asked"), [("OCTO3", True), ("OCTO1", False)])
async def test_a_node_s_own_screen_leaves_out_that_node_or_none(
    recorded: Make, node: str, asked: bool
) -> None:
    run = two_failed(recorded)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("escape")
        await app.push_screen(NodeScreen(node))
        await pilot.press("L")
        assert isinstance(app.screen, Confirm) == asked
        if asked:
            await pilot.press(*node, "enter")
            assert await until_sent(run, pilot) == [("leave-out", node)]
        else:
            told = [n.message for n in app._notifications]
            assert told == ["OCTO1 has not failed. Go to one that has: OCTO2, OCTO3."]


async def test_rolling_back_wants_its_words_typed(recorded: Make) -> None:
    run = recorded("succeeded", begins("installing.install@OCTO1"))
    async with cockpit(run) as (app, pilot):
        assert place(app) == "run"
        await pilot.press("B")
        await pilot.press(*"roll back", "enter")
        assert await until_sent(run, pilot) == [("rollback", "")]


async def test_there_is_no_way_back_once_the_database_is_upgraded(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("B", "X")
        assert place(app) == "decision"
        assert sent(run) == []


async def test_hold_is_sent_while_phases_are_ahead(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (_, pilot):
        await pilot.press("h", "y")
        assert await until_sent(run, pilot) == [("hold", "stopping")], "the phase that was named"


async def test_a_hold_is_released_and_the_point_of_no_return_is_named(recorded: Make) -> None:
    run = recorded("succeeded", enters("migrating"))
    run.tell("state", {"from": "installing", "to": "held", "trigger": "done",
                       "waiting_phase": "migrating", "changed": True})  # fmt: skip
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        assert place(app) == "decision"
        await pilot.press("R")
        words = str(app.screen.query_one("#consequence").render())
        assert "point of no return" in words
        await pilot.press("y", "enter")
        assert isinstance(app.screen, Confirm)
        assert sent(run) == []
        await pilot.press(*"migrate", "enter")
        assert await until_sent(run, pilot) == [("release", "")]


async def test_holds_ahead_are_dropped_all_at_once(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    run.tell("command", {"command": "hold", "argument": "migrating", "by": "ann",
                         "answer": "will hold", "hold": ["migrating"]})  # fmt: skip
    async with cockpit(run) as (_, pilot):
        await pilot.press("R")
        assert sent(run) == [], "there is no hold to go on after"
        await pilot.press("D", "y", "enter")
        assert sent(run) == [], "it leads past the point of no return"
        await pilot.press(*"migrate", "enter")
        assert await until_sent(run, pilot) == [("release", "all")]


async def test_no_hold_is_dropped_that_was_not_there_when_it_was_asked(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    hold = {"command": "hold", "argument": "finishing", "by": "ann", "answer": "will hold"}
    run.tell("command", {**hold, "hold": ["finishing"]})
    async with cockpit(run) as (app, pilot):
        await pilot.press("D")
        run.tell("command", {**hold, "hold": ["finishing", "migrating"]})
        await settle(app, pilot)
        await pilot.press("y")
        await pilot.pause()
        assert sent(run) == []


async def test_abort_is_possible_before_anything_changed(recorded: Make) -> None:
    run = recorded("succeeded", enters("staging"))
    async with cockpit(run) as (_, pilot):
        await pilot.press("X", "y")
        assert await until_sent(run, pilot) == [("abort", "")]


async def test_nothing_is_sent_when_the_run_moved_on_under_the_question(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("h")
        run.tell("state", {"from": "draining", "to": "stopping", "trigger": "done",
                           "waiting_phase": "", "changed": True})  # fmt: skip
        await settle(app, pilot)
        await pilot.press("y")
        await pilot.pause()
        assert sent(run) == []


async def test_the_answer_of_the_run_is_told(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        run.tell("command", {"command": "hold", "argument": "", "by": "ann",
                             "answer": "refused: there is nothing ahead", "hold": []})  # fmt: skip
        await settle(app, pilot)
        told = [(n.title, n.message) for n in app._notifications]
        assert told == [("hold (ann): refused", "there is nothing ahead")]


async def test_a_decision_taken_elsewhere_closes_the_question(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        assert place(app) == "decision"
        run.tell("state", {"from": "needs_person", "to": "joining", "trigger": "retry",
                           "waiting_phase": "", "changed": True})  # fmt: skip
        await settle(app, pilot)
        assert place(app) == "run"


async def test_a_dead_run_can_be_taken_up_and_says_so(recorded: Make) -> None:
    run = recorded("succeeded", begins("migrating.database@OCTO1"), alive=False)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        assert place(app) == "decision"
        await pilot.press("u")
        assert "taken" not in sent(run)
        words = str(app.screen.query_one("#consequence").render())
        assert words.startswith("The run goes on with migrating")


async def test_the_run_s_parts_are_reached_by_keys(recorded: Make) -> None:
    run = recorded("joining-failed", begins("joining.install@OCTO3"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("l")
        assert isinstance(app.focused, LogView)
        await pilot.press("z")
        await pilot.pause()
        assert not app.screen.query_one("#tables").display
        await pilot.press("z", "l", "t")
        await pilot.pause()
        assert app.screen.query_one("#tables").display
        assert isinstance(app.focused, StepMatrix)
        await pilot.press("t", "enter")
        assert place(app) == "node"
        await pilot.press("l")
        assert isinstance(app.focused, LogView)
        await pilot.press("z")
        await pilot.pause()
        assert not app.screen.query_one("#node-body").display
        await pilot.press("escape")
        assert place(app) == "run"


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_lists_the_keys_of_the_screen_below(recorded: Make, key: str) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        await pilot.press(key)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("q")
        assert place(app) == "run"


async def test_leaving_decides_nothing_and_tells_which_run(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("q")
    left = app.return_value
    assert left is not None
    assert (left.how, left.run, sent(run)) == ("leave", run.run, [])


async def test_plain_lines_go_on_after_what_was_seen_at_the_start(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    seen = len(list(run.journal.events()))
    async with cockpit(run) as (app, pilot):
        await pilot.press("S")
    left = app.return_value
    assert left is not None
    assert (left.how, left.seen) == ("stream", seen)


async def test_what_a_screen_says_is_copied_into_a_file_too(recorded: Make, tmp_path: Path) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("y")
    assert "exit code 1603" in (tmp_path / "yank.txt").read_text()


async def test_the_mouse_is_taken_and_left(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run, mouse=False) as (app, pilot):
        await pilot.press("M")
        assert app.mouse
        await pilot.press("M")
        assert not app.mouse


async def test_keys_are_a_person_s_own(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run, keys={"run.hold": "w"}) as (app, pilot):
        await pilot.press("h")
        assert place(app) == "run"
        await pilot.press("w")
        assert isinstance(app.screen, Confirm)


async def test_the_log_is_searched_filtered_and_saved(recorded: Make, tmp_path: Path) -> None:
    run = recorded("joining-failed", begins("joining.install@OCTO3"))
    async with cockpit(run) as (app, pilot):
        log = app.screen.query_one(LogView)
        await pilot.press("slash", *"msiexec", "enter")
        await pilot.pause()
        assert app.focused is log
        assert not log.following, "it stands where the text was found"
        await pilot.press("ampersand", *"collation", "enter")
        await pilot.pause()
        assert log.buffer.shown == 1
        await pilot.press("ctrl+s")
        await pilot.pause()
        saved = (tmp_path / f"{run.run.run_id}-log.txt").read_text()
        assert saved.count("\n") == 1
        assert "Database collation" in saved
        await pilot.press("y")
        await pilot.pause()
        assert "Database collation" in (tmp_path / "yank.txt").read_text()


async def test_a_faulty_regular_expression_is_told(recorded: Make) -> None:
    run = recorded("joining-failed", begins("joining.install@OCTO3"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("ampersand", *"/(/", "enter")
        await pilot.pause()
        assert "no regular expression" in next(iter(app._notifications)).message


async def test_the_log_shows_one_node_and_what_is_bad_enough(recorded: Make) -> None:
    run = recorded("joining-failed", begins("joining.install@OCTO3"))
    async with cockpit(run) as (app, pilot):
        log = app.screen.query_one(LogView)
        await pilot.press("o")
        assert log.buffer.filter.node == app.screen.query_one(NodeGrid).node
        await pilot.press("o", "i")
        assert (log.buffer.filter.node, log.buffer.filter.severity.name) == ("", "WARN")
        await pilot.press("i", "i")
        assert log.buffer.filter.severity.name == "DEBUG"


async def test_who_looks_elsewhere_is_told_that_the_run_waits(recorded: Make) -> None:
    run = recorded("joining-failed", is_end)
    async with cockpit(run) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("escape", "p")
        run.tell("state", {"from": "needs_person", "to": "joining", "trigger": "retry",
                           "waiting_phase": "", "changed": True})  # fmt: skip
        run.tell("state", {"from": "joining", "to": "needs_person", "trigger": "fail",
                           "waiting_phase": "joining", "changed": True})  # fmt: skip
        await settle(app, pilot)
        await settle(app, pilot)
        assert place(app) == "plan"
        assert [n.message for n in app._notifications] == ["The run waits for you."]
        await pilot.press("escape")
        await settle(app, pilot)
        assert place(app) == "decision"


async def test_a_hold_before_a_chosen_phase_names_what_it_leaves(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("H")
        await pilot.pause()
        words = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
        assert words[0].startswith("nothing")
        before = {text.split()[0]: text for text in words[1:]}
        assert list(before) == [
            "stopping", "installing", "migrating", "starting", "joining", "finishing"
        ]  # fmt: skip
        assert "point of no return" in before["migrating"]
        assert "The cluster is down meanwhile." in before["migrating"]
        assert "down" not in before["finishing"]
        await pilot.press("enter")
        assert (place(app), sent(run)) == ("run", [])
        await pilot.press("H", "down", "down", "down", "enter")
        assert await until_sent(run, pilot) == [("hold", "migrating")]


async def test_a_hold_is_sent_as_long_as_its_phase_is_ahead(recorded: Make) -> None:
    run = recorded("succeeded", enters("maintenance"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("H", "end")
        run.tell("state", {"from": "staging", "to": "maintenance", "trigger": "done",
                           "waiting_phase": "", "changed": True})  # fmt: skip
        await settle(app, pilot)
        await pilot.press("enter")
        assert await until_sent(run, pilot) == [("hold", "finishing")]


async def test_no_hold_is_sent_before_a_phase_that_was_passed_meanwhile(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        await pilot.press("H", "down")
        run.tell("state", {"from": "draining", "to": "stopping", "trigger": "done",
                           "waiting_phase": "", "changed": True})  # fmt: skip
        await settle(app, pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert sent(run) == []


async def test_square_brackets_of_others_are_no_markup_in_what_is_told(recorded: Make) -> None:
    run = recorded("succeeded", enters("stopping"))
    async with cockpit(run) as (app, pilot):
        run.tell("command", {"command": "hold", "argument": "", "by": "ann",
                             "answer": "refused: [/nothing] of [bold", "hold": []})  # fmt: skip
        await settle(app, pilot)
        await pilot.pause()
        assert [(n.message, n.markup) for n in app._notifications] == [
            ("[/nothing] of [bold", False)
        ]


async def test_what_happened_can_be_scrolled_by_keys(recorded: Make) -> None:
    run = recorded("database-failed", is_end)
    async with cockpit(run, size=(80, 24)) as (app, pilot):
        await settle(app, pilot)
        assert place(app) == "decision"
        happened = app.screen.query_one("#happened")
        assert happened.max_scroll_y > 0
        await pilot.press("tab", "pagedown")
        await pilot.pause()
        assert happened.scroll_y > 0
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#choices")


async def press_leave(app: Cockpit) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")


async def test_a_defect_ends_the_screen_with_words_and_shows_no_values(
    recorded: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(*_: object) -> None:
        secret = "hunter2"
        raise ZeroDivisionError(f"{len(secret)} by nothing")

    run = recorded("succeeded", enters("stopping"))
    monkeypatch.setattr(Cockpit, "leave", breaks)
    app = Cockpit(run.run, now=run.now, environment={}, settings=Settings())
    with pytest.raises(ZeroDivisionError):
        await press_leave(app)
    told = capsys.readouterr().err
    assert "A run that works goes on without it" in told
    assert "hunter2" not in told
    kept = (tmp_path / "cockpit-fault.txt").read_text()
    assert "in breaks" in kept
    assert "secret = 'hunter2'" not in kept
