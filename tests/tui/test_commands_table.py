"""The table of commands: complete, without two meanings of one key, and honest in its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from octotui.run.control import BY_NAME
from octotui.tui.choices import choices, leaving_out
from octotui.tui.commands import BY_ID, COMMANDS, EVERYWHERE, commands_of
from octotui.tui.consequences import hold_before
from octotui.tui.keymap import read_settings
from octotui.tui.situation import Situation
from octotui.view import RunView, fold
from tests.cockpit_support import Recorded, begins, enters, is_end

STATES: dict[str, tuple[str, Any]] = {
    "ready": ("succeeded", enters("staging")),
    "draining": ("succeeded", enters("stopping")),
    "installing": ("succeeded", begins("installing.install@OCTO1")),
    "migrating": ("succeeded", begins("starting.start@OCTO1")),
    "failed": ("joining-failed", is_end),
    "over": ("succeeded", lambda event: False),
}


def situation(folder: Path, state: str, *, alive: bool = True) -> Situation:
    run = Recorded(folder, *STATES[state], alive=False)
    try:
        return Situation(fold(run.journal.events()), alive)
    finally:
        run.close()


def possible(at: Situation) -> set[str]:
    return {c.id.removeprefix("run.") for c in COMMANDS if c.control and c.possible(at)}


def test_every_command_has_an_id_and_says_what_it_does() -> None:
    assert len(BY_ID) == len(COMMANDS)
    for command in COMMANDS:
        binding = command.binding()
        assert binding.id == command.id
        assert binding.tooltip.endswith(".")
        assert command.title


@pytest.mark.parametrize("place", EVERYWHERE)
def test_no_key_means_two_things_on_one_screen(place: str) -> None:
    keys = [key for command in commands_of(place) for key in command.keys.split(",")]
    assert sorted(keys) == sorted(set(keys))


def test_every_control_command_of_the_journal_has_a_key() -> None:
    assert {command.control for command in COMMANDS if command.control} == set(BY_NAME)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("ready", {"approve", "abort"}),
        ("draining", {"hold", "hold-before", "rollback"}),
        ("installing", {"hold", "hold-before", "rollback"}),
        ("migrating", {"hold", "hold-before"}),
        ("failed", {"retry", "leave-out"}),
        ("over", set()),
    ],
)
def test_what_is_possible_follows_the_run(tmp_path: Path, state: str, expected: set[str]) -> None:
    assert possible(situation(tmp_path, state)) == expected


def test_a_dead_run_is_taken_up_or_decided_about(tmp_path: Path) -> None:
    dead = situation(tmp_path, "failed", alive=False)
    assert [c.id for c in choices(dead)] == ["run.resume", "run.leave-out"]


@pytest.mark.parametrize("state", ["draining", "installing", "failed"])
def test_every_possible_choice_names_its_consequence(tmp_path: Path, state: str) -> None:
    at = situation(tmp_path, state)
    assert at.view is not None
    for command in COMMANDS:
        if command.control and command.possible(at):
            assert command.consequence(at.view).endswith(".")


def test_a_hold_while_the_cluster_is_down_says_so(tmp_path: Path) -> None:
    at = situation(tmp_path, "installing")
    assert at.view is not None
    words = BY_ID["run.hold"].consequence(at.view)
    assert "before migrating" in words
    assert "The cluster is down meanwhile." in words


def test_leaving_out_names_the_node_and_how_it_is_left(tmp_path: Path) -> None:
    at = situation(tmp_path, "failed")
    assert at.view is not None
    command = leaving_out("OCTO2")
    assert command.word(at.view) == command.argument(at.view) == "OCTO2"
    assert command.consequence(at.view) == (
        "OCTO2 stays as it is, stopped and kept from starting, drained, at 2025.2.13071. "
        "The other 2 go on. OCTO2 has to be at 2025.4.10428 before it is started."
    )


def test_leaving_one_out_says_that_the_others_that_failed_are_tried_again(tmp_path: Path) -> None:
    at = situation(tmp_path, "failed")
    assert at.view is not None
    at.view.steps["joining.serving@OCTO3"].state = "failed"
    found = [command for command in choices(at) if command.id == "run.leave-out"]
    assert [command.argument(at.view) for command in found] == ["OCTO2", "OCTO3"]
    assert [command.word(at.view) for command in found] == ["OCTO2", "OCTO3"]
    assert "The other goes on. OCTO3, which failed too, is tried again." in found[0].consequence(
        at.view
    )
    words = found[1].consequence(at.view)
    assert "OCTO2, which failed too, is tried again." in words
    assert "has to be at" not in words
    assert words.endswith("OCTO3 is at 2025.4.10428: put right, it may be started.")


def test_the_table_s_own_leaving_out_names_no_node_to_send(tmp_path: Path) -> None:
    at = situation(tmp_path, "failed")
    assert at.view is not None
    assert BY_ID["run.leave-out"].argument(at.view) == ""


def test_past_the_point_of_no_return_a_word_is_typed(tmp_path: Path) -> None:
    ahead = RunView(state="stopping", hold=("migrating", "finishing"))
    assert BY_ID["run.release-all"].word(ahead) == "migrate"
    ahead.hold = ("finishing",)
    assert BY_ID["run.release-all"].word(ahead) == ""
    view = RunView(state="held", waiting_phase="migrating", hold=("migrating", "finishing"))
    steering = ("run.release", "run.resume")
    assert [BY_ID[name].word(view) for name in steering] == ["migrate"] * 2
    assert "proved unchanged" in BY_ID["run.release"].consequence(view)
    assert "point of no return" in BY_ID["run.resume"].consequence(view)
    view = RunView(state="held", waiting_phase="finishing", hold=("finishing",))
    assert [BY_ID[name].word(view) for name in steering] == [""] * 2


def test_what_a_refused_run_has_not_is_not_offered() -> None:
    never = Situation(RunView(outcome="refused"))
    ids = {command.id for command in commands_of("report") if command.possible(never)}
    assert ids.isdisjoint({"run.open", "run.replay", "plan.open", "bundle"})


def test_a_hold_before_the_stop_says_what_users_have_meanwhile() -> None:
    assert hold_before("stopping") == (
        "Every node still answers meanwhile, but is drained and in maintenance mode: "
        "no deployment begins."
    )


def test_settings_are_read_and_what_is_wrong_in_them_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cockpit.toml"
    assert read_settings(path).faults == ()
    path.write_text('theme = "nord"\nmouse = true\n[keys]\n"run.hold" = "x"\n')
    settings = read_settings(path)
    assert (settings.theme, settings.mouse, settings.keys) == ("nord", True, {"run.hold": "x"})
    path.write_text('theme = 3\nfoo = 1\n[keys]\n"run.hold" = ""\n"run.fly" = "f"\n')
    settings = read_settings(path)
    assert (settings.theme, settings.keys) == ("", {})
    assert len(settings.faults) == 4
    path.write_text("theme = ")
    assert "cannot be read" in read_settings(path).faults[0]
