"""How changes to the code are counted, and how those that change nothing are recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.mutants import (
    GROUPS,
    Equivalent,
    Group,
    Mutant,
    difference,
    evaluate,
    load_equivalents,
    selected_tests,
)

GROUP = Group("example", ("octotui/example", "octotui/other.py"), (), 90)


def mutant(
    after: str, status: str, *, line: int = 10, file: str = "octotui/example/a.py"
) -> Mutant:
    return Mutant("m", file, "Gate.check", line, "if a == b:", after, status)


def equivalent(after: str, *, file: str = "octotui/example/a.py") -> Equivalent:
    return Equivalent(file, "Gate.check", "if a == b:", after, "It changes nothing.")


def test_survivors_are_counted_against_what_is_not_equivalent() -> None:
    mutants = [mutant(f"killed {n}", "killed") for n in range(9)]
    mutants += [mutant("if a != b:", "survived"), mutant("if a is b:", "survived")]
    result = evaluate(GROUP, mutants, [equivalent("if a is b:")], whole=True)
    assert str(result) == ("example: 11 mutants: 9 killed, 1 survived, 1 equivalent: 90.0 % of 10")
    assert result.passed
    assert [m.after for m in result.survivors] == ["if a != b:"]


def test_a_group_below_its_share_fails_and_says_what_it_needs() -> None:
    result = evaluate(GROUP, [mutant("a", "killed"), mutant("b", "survived")], [], whole=True)
    assert not result.passed
    assert str(result).endswith("50.0 % of 2, needs 90 %")


def test_what_no_test_reaches_has_survived() -> None:
    result = evaluate(GROUP, [mutant("a", "untested")], [], whole=True)
    assert [str(m).splitlines()[0] for m in result.survivors] == [
        "octotui/example/a.py:10 Gate.check (no test reaches it)"
    ]


def test_an_equivalent_is_found_again_on_another_line() -> None:
    moved = mutant("if a is b:", "survived", line=99)
    assert evaluate(GROUP, [moved], [equivalent("if a is b:")], whole=True).equivalent == 1


def test_an_entry_without_a_mutant_is_an_error_where_its_whole_group_was_run() -> None:
    entries = [equivalent("if a is b:")]
    whole = evaluate(GROUP, [mutant("a", "killed")], entries, whole=True)
    assert not whole.passed
    assert whole.errors == ("octotui/example/a.py Gate.check: no such mutant: if a is b:",)
    assert evaluate(GROUP, [mutant("a", "killed")], entries, whole=False).passed
    elsewhere = [equivalent("if a is b:", file="octotui/elsewhere.py")]
    assert evaluate(GROUP, [mutant("a", "killed")], elsewhere, whole=True).passed


def test_an_entry_whose_mutant_is_killed_is_an_error() -> None:
    result = evaluate(GROUP, [mutant("b", "killed")], [equivalent("b")], whole=True)
    assert result.errors == ("octotui/example/a.py Gate.check: not equivalent, killed: b",)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('file = "a.py"\nfunction = "f"\nbefore = "x"\nafter = "y"\n', "reason"),
        (
            'file = "a.py"\nfunction = "f"\nbefore = "x"\nafter = "y"\nreason = " "\n',
            "says no reason",
        ),
    ],
)
def test_an_entry_without_a_reason_is_refused(tmp_path: Path, entry: str, problem: str) -> None:
    (tmp_path / "e.toml").write_text(f"[[equivalent]]\n{entry}")
    with pytest.raises(ValueError, match=problem):
        load_equivalents(tmp_path / "e.toml")


def test_the_entries_of_the_repository_are_sound(repository: Path) -> None:
    for entry in load_equivalents():
        assert any(group.covers(entry.file) for group in GROUPS), entry
        assert entry.function.rpartition(".")[2] in (repository / entry.file).read_text()


def test_a_change_is_found_in_lines() -> None:
    old = "def f(a):\n    if a:\n        refuse(\n            a,\n        )\n    return a\n"
    new = "def f(a):\n    if a:\n        pass\n    return a\n"
    assert difference(old, new) == (2, "refuse(\na,\n)", "pass")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_group_has_sources_and_tests(group: Group, repository: Path) -> None:
    assert all((repository / source).exists() for source in group.sources)
    tests = selected_tests(group)
    assert tests
    assert not [test for test in tests if "test_lab_" in test]
