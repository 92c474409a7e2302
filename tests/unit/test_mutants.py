"""What make mutants says about our tests must be right: the mutants, the list, the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import pytest

from scripts.mutants import GROUPS, Count, count, expand
from scripts.mutation import equivalent
from scripts.mutation.equivalent import BadList, Equivalent
from scripts.mutation.make import Mutant, mutants
from scripts.mutation.run import live_functions, put_in

SOURCE = '''\
from __future__ import annotations


class Door:
    """A door."""

    def __init__(self, opened):
        self.opened = opened

    @property
    def closed(self):
        return not self.opened

    def enter(self, *, polite=True):
        if self.closed:
            raise ValueError(
                "the door is closed"
            )
        knock(self, "front-door")
        return polite


def knock(door, where):
    door.knocked = where
'''


@pytest.fixture
def made(tmp_path: Path) -> list[Mutant]:
    (tmp_path / "door.py").write_text(SOURCE, encoding="utf-8")
    return mutants(tmp_path, "door.py")


@pytest.fixture
def module(tmp_path: Path, made: list[Mutant]) -> dict[str, object]:
    """The same file, loaded."""
    names: dict[str, object] = {}
    exec(compile(SOURCE, str(tmp_path / "door.py"), "exec"), names)
    return names


def one(made: list[Mutant], function: str, after: str) -> Mutant:
    (found,) = [m for m in made if m.function == function and m.after == after]
    return found


def test_the_mutants_of_a_file(made: list[Mutant]) -> None:
    said = {(m.function, m.line, m.before, m.after) for m in made}
    assert ("Door.closed", 12, "return not self.opened", "return self.opened") in said
    assert ("Door.enter", 15, "if self.closed:", "if False:") in said
    asked, rude = (f"def enter(self, *, polite={value}):" for value in (True, False))
    assert ("Door.enter", 14, asked, rude) in said
    raised = 'raise ValueError( "the door is closed" )'
    assert ("Door.enter", 16, raised, "pass") in said
    assert ("Door.enter", 19, 'knock(self, "front-door")', "pass") in said
    assert ("Door.enter", 19, 'knock(self, "front-door")', 'knock(self, "XXfront-doorXX")') in said
    assert not [m for m in made if "XXthe door" in m.after], "a sentence was changed"


def test_what_a_mutant_looks_like(made: list[Mutant]) -> None:
    assert one(made, "Door.closed", "return self.opened").diff.splitlines() == [
        "door.py:12",
        "       def closed(self):",
        "-          return not self.opened",
        "+          return self.opened",
    ]


def test_a_test_must_run_the_statement_of_a_mutant(made: list[Mutant]) -> None:
    assert one(made, "Door.enter", "if False:").statement == range(15, 16)
    (removed,) = [m for m in made if m.line == 16 and m.after == "pass"]
    assert removed.statement == range(16, 19)


def test_a_property_a_method_and_a_default_are_changed_where_they_are_used(
    made: list[Mutant], module: dict[str, object]
) -> None:
    door_class = module["Door"]
    assert isinstance(door_class, Callable)
    door = door_class(True)
    assert not door.closed
    put_in(one(made, "Door.closed", "return self.opened"), live_functions())
    assert door.closed
    with pytest.raises(ValueError, match="closed"):
        door.enter()
    put_in(one(made, "Door.enter", "if False:"), live_functions())
    assert door.enter() is True
    put_in(one(made, "Door.enter", "def enter(self, *, polite=False):"), live_functions())
    assert door_class(False).enter.__func__.__kwdefaults__ == {"polite": False}


def test_a_mutant_that_would_not_be_run_is_an_error(made: list[Mutant]) -> None:
    """The file is not loaded here: what the tests run would not be the mutant."""
    functions: dict[tuple[str, str, int], list[FunctionType]] = live_functions()
    with pytest.raises(LookupError):
        put_in(made[0], functions)


def test_an_equivalent_names_its_mutant_wherever_its_line_has_moved(
    tmp_path: Path, made: list[Mutant]
) -> None:
    entry = Equivalent("door.py", "Door.enter", "if self.closed:", "if False:", "For this test.")
    (found,) = equivalent.match([entry], made)
    (tmp_path / "door.py").write_text(SOURCE.replace('"""A door."""', '"""A\n    door."""'))
    moved = mutants(tmp_path, "door.py")
    (again,) = equivalent.match([entry], moved)
    assert (made[found].line, moved[again].line) == (15, 16)


@pytest.mark.parametrize(
    ("field", "value"),
    [("function", "Door.leave"), ("before", "if self.opened:"), ("file", "gate.py"), ("times", 2)],
)
def test_an_entry_that_matches_no_mutant_is_an_error(
    made: list[Mutant], field: str, value: object
) -> None:
    entry = {
        "file": "door.py",
        "function": "Door.enter",
        "before": "if self.closed:",
        "after": "if False:",
        "reason": "For this test.",
    }
    with pytest.raises(BadList, match="matches"):
        equivalent.match([Equivalent(**entry | {field: value})], made)


@pytest.mark.parametrize("reason", ["", "because"])
def test_an_entry_without_a_reason_is_an_error(tmp_path: Path, reason: str) -> None:
    listed = tmp_path / "equivalent.toml"
    listed.write_text(
        "[[equivalent]]\nfile = 'f'\nfunction = 'g'\nbefore = 'a'\nafter = 'b'\n"
        f"reason = '{reason}'\n"
    )
    with pytest.raises(BadList, match="entry 1"):
        equivalent.read(listed)


def test_the_figures_of_a_group() -> None:
    figures = count({0: "killed", 1: "timeout", 2: "survived", 3: "not run"}, 2)
    assert figures == Count(killed=2, survived=2, equivalent=2)
    assert figures.sentence("door") == (
        "door: 6 mutants: 2 killed, 2 survived, 2 equivalent: 50.0 % of 4"
    )
    assert Count(killed=0, survived=0, equivalent=0).share == 100


@pytest.mark.parametrize("group", GROUPS)
def test_every_pattern_of_a_group_names_files(group: str) -> None:
    for pattern in (*GROUPS[group].sources, *GROUPS[group].tests):
        assert expand([pattern]), f"{group}: {pattern}"
