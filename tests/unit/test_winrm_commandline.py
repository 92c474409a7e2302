"""Command lines: what a program on Windows makes of what we write, and what cmd.exe would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octotui.api.errors import TransportError
from octotui_winrm.commandline import LIMIT, command_line, script_command
from tests.lab.winrm_node import split_windows

ARGUMENT = st.text(st.sampled_from(" \\\"&|<>^()%;,=!'äX\t\n"), max_size=12)


def outside_quotes(line: str) -> str:
    """What cmd.exe reads as its own language."""
    return "".join(line.split('"')[::2])


@given(st.lists(ARGUMENT, max_size=4))
def test_arguments_arrive_unchanged_or_are_refused(arguments: list[str]) -> None:
    try:
        program, rest = command_line(["program.exe", *arguments], "OCTO1")
    except TransportError:
        assert any(character in '"%\t\n' for character in "".join(arguments))
        return
    line = f"{program} {rest}"
    assert split_windows(line) == ["program.exe", *arguments]
    assert not set("&|<>^()") & set(outside_quotes(line))
    assert "%" not in line


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        (r"C:\Program Files\Octopus", r'"C:\Program Files\Octopus"'),
        ("C:\\R&D\\", '"C:\\R&D\\\\"'),
        ("C:\\R&D \\", '"C:\\R&D \\\\"'),
        ('say "hello"', r'"say \"hello\""'),
    ],
)
def test_quoting(argument: str, written: str) -> None:
    assert command_line(["p", argument], "OCTO1") == ("p", written)


def test_the_limit_counts_the_whole_line() -> None:
    program, rest = command_line(["p", "x" * (LIMIT - 2)], "OCTO1")
    assert len(f"{program} {rest}") == LIMIT
    with pytest.raises(TransportError, match=r"8192 characters.*8191"):
        command_line(["p", "x" * (LIMIT - 1)], "OCTO1")


@pytest.mark.parametrize("name", ["receive.ps1", "send.ps1"])
def test_our_scripts_fit_into_a_line(name: str) -> None:
    program, rest = command_line(script_command(name), "OCTO1")
    assert len(program) + len(rest) < LIMIT / 2
