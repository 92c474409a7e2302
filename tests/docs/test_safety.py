"""docs/safety.md names every rule and guard, and tests that exist."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from octotui.upgrade import interlocks
from octotui.upgrade.steps import KINDS

RULES = {f"R{number}" for number in range(1, 12)} | {"Liveness"}

SECTIONS = (
    "Rules",
    "Interlocks",
    "Acts that interlocks refuse",
    "Steps",
    "The engine",
    "The borders",
    "The agent on the node",
)

#: What the interlocks are made of; not interlocks themselves.
BESIDE_INTERLOCKS = {"demand", "describe"}


def rows(repository: Path, heading: str) -> dict[str, list[str]]:
    """The tests of each row of the table under a heading, by what the row is about."""
    text = (repository / "docs" / "safety.md").read_text()
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", section, re.MULTILINE)
    return {
        name.strip("`"): re.findall(r"`([^`]+)`", tests)
        for name, tests in found
        if not name.startswith("---") and tests != "tests"
    }


def acts(repository: Path) -> set[str]:
    """What steps refuse to do, by the words that they give to ``demand``."""
    found = set()
    for file in (repository / "octotui").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "demand":
                act = node.args[0]
                assert isinstance(act, ast.Constant), f"{file}: an act is a text"
                found.add(act.value)
    return found


def test_every_rule_has_tests(repository: Path) -> None:
    assert rows(repository, "Rules").keys() == RULES


def test_every_interlock_has_tests(repository: Path) -> None:
    functions = {
        name
        for name, function in vars(interlocks).items()
        if inspect.isfunction(function) and function.__module__ == interlocks.__name__
    }
    wanted = {name for name in functions if not name.startswith("_")} - BESIDE_INTERLOCKS
    assert rows(repository, "Interlocks").keys() == wanted


def test_every_act_that_is_refused_has_tests(repository: Path) -> None:
    assert rows(repository, "Acts that interlocks refuse").keys() == acts(repository)


def test_every_kind_of_step_has_tests(repository: Path) -> None:
    assert rows(repository, "Steps").keys() == KINDS.keys()


def test_every_test_that_is_named_exists(repository: Path) -> None:
    missing = []
    for section in SECTIONS:
        table = rows(repository, section)
        assert table, f"there is no table of {section}"
        for about, tests in table.items():
            assert tests, f"{about} names no test"
            for test in tests:
                file, _, name = test.partition("::")
                path = repository / "tests" / file
                text = path.read_text() if path.is_file() else ""
                if not re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE):
                    missing.append(f"{section}: {about}: {test}")
    assert missing == []
