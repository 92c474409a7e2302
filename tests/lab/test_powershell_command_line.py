"""Command lines are read as Windows and powershell.exe read them."""

from __future__ import annotations

import base64

import pytest

from octotui_lab.powershell.command_line import (
    Invocation,
    NotPowerShell,
    UnusableArguments,
    split,
    understand,
)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("", []),
        ("  a\tb  c ", ["a", "b", "c"]),
        ('"C:\\Program Files\\x.exe" a', ["C:\\Program Files\\x.exe", "a"]),
        (r'a\b "c\d\\" e', ["a\\b", "c\\d\\", "e"]),
        (r"a\\\"b", ['a\\"b']),
        (r'"a\"b c" d', ['a"b c', "d"]),
        ('"a""b" c', ['a"b', "c"]),
        ('a "" b', ["a", "", "b"]),
        ('x"y z"w', ["xy zw"]),
        ("trailing\\", ["trailing\\"]),
    ],
)
def test_arguments_are_split_by_windows_rules(line: str, arguments: list[str]) -> None:
    assert split(line) == arguments


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode()


@pytest.mark.parametrize(
    ("line", "invocation"),
    [
        (
            "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "
            '"C:\\Program Data\\agent.ps1" facts -File',
            Invocation(file="C:\\Program Data\\agent.ps1", arguments=("facts", "-File")),
        ),
        (
            "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\PowerShell.EXE /f a.ps1",
            Invocation(file="a.ps1"),
        ),
        (f"powershell -nop -noni -e {_encoded('1 + 1 # ä')}", Invocation(text="1 + 1 # ä")),
        (f"powershell -ep Bypass -EncodedCommand {_encoded('a')}", Invocation(text="a")),
        ("powershell -Command Get-Item x", Invocation(text="Get-Item x")),
        ("powershell -NoLogo Get-Item x", Invocation(text="Get-Item x")),
    ],
)
def test_powershell_is_asked_for(line: str, invocation: Invocation) -> None:
    assert understand(line) == invocation


@pytest.mark.parametrize(
    "line",
    [
        "powershell",
        "powershell -NoProfile",
        "powershell -File",
        "powershell -Frobnicate x",
        "powershell -no -File x.ps1",
        "powershell -EncodedCommand !!!",
        "powershell -EncodedCommand YQ==",
    ],
)
def test_arguments_that_mean_nothing_are_refused(line: str) -> None:
    with pytest.raises(UnusableArguments):
        understand(line)


@pytest.mark.parametrize("line", ["cmd.exe /c dir", '"my powershell" -File x', ""])
def test_other_programs_are_named(line: str) -> None:
    with pytest.raises(NotPowerShell):
        understand(line)
