"""The rows of home: what is damaged, gone or odd is not the end of the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from octotui.run.directory import RunDirectory
from octotui.tui.home_list import PATIENCE, HomeList
from tests.cockpit_support import Recorded, enters

Make = Callable[..., Recorded]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    folders = (tmp_path / "profiles",)
    monkeypatch.setattr("octotui.profile.find.profile_folders", lambda: folders)
    made: list[Recorded] = []

    def make(run_id: str = "r1", **options: Any) -> Recorded:
        made.append(Recorded(tmp_path, "succeeded", enters("stopping"), run_id=run_id, **options))
        return made[-1]

    yield make
    for run in made:
        run.close()


def listed(lists: HomeList, now: float = 0.0) -> list[str]:
    return sorted(row.run.run_id for row in lists.read(now)[1])


def cut(run: Recorded) -> None:
    run.journal._db.execute("UPDATE event SET data = '{' WHERE seq = 3")


def misfit(run: Recorded) -> None:
    run.tell("step.ended", {"step": "of nobody"})


def odd(run: Recorded) -> None:
    run.tell("command", {"command": "approve"})


def no_lock(run: Recorded) -> None:
    run.close()
    (run.run.path / "lock").unlink(missing_ok=True)
    (run.run.path / "lock").mkdir()


@pytest.mark.parametrize("damage", [cut, misfit, odd, no_lock])
def test_a_damaged_run_is_counted_and_hides_no_other(
    recorded: Make, damage: Callable[[Recorded], None]
) -> None:
    recorded("whole")
    damage(recorded("damaged"))
    lists = HomeList()
    for now in (0.0, 1.0, PATIENCE + 1.0):
        assert listed(lists, now) == ["whole"]
        assert lists.unreadable == 1


def test_a_run_that_can_be_read_again_is_listed_again(recorded: Make) -> None:
    run = recorded()
    cut(run)
    lists = HomeList()
    assert listed(lists) == []
    run.journal._db.execute("UPDATE event SET data = '{}', kind = 'other' WHERE seq = 3")
    assert listed(lists, PATIENCE) == ["r1"]
    assert lists.unreadable == 0


@pytest.mark.parametrize("alive", [True, False])
def test_a_run_that_is_removed_while_one_looks_does_not_come_back(
    recorded: Make, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    run = recorded(alive=alive)
    lists, all_runs = HomeList(), RunDirectory.all

    def removed() -> Iterator[RunDirectory]:
        found = list(all_runs())
        shutil.rmtree(run.run.path)
        return iter(found)

    monkeypatch.setattr(RunDirectory, "all", removed)
    assert listed(lists) == []
    assert not run.run.path.exists()


def test_a_log_of_the_journal_that_goes_between_two_looks(
    recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(alive=False)
    is_file = Path.is_file

    def gone_after(path: Path) -> bool:
        there = is_file(path)
        if path.name == "run.db-wal":
            path.unlink(missing_ok=True)
            path.with_name("run.db-shm").unlink(missing_ok=True)
        return there

    monkeypatch.setattr(Path, "is_file", gone_after)
    HomeList().read(0.0)


@pytest.mark.parametrize(
    ("text", "url", "faulty"),
    [
        ("[octopus]\nurl = 'https://ann:hunter2@a.example'", "", True),
        ("nodes = 5\n[octopus]\nurl = 'https://a.example'", "", True),
        ("nodes = " + "[" * 100_000, "", True),
        ("\ufeff[octopus]\nurl = 'https://a.example'", "https://a.example", False),
    ],
    ids=["password", "number", "deep", "mark"],
)
def test_an_odd_profile_is_a_row_and_shows_no_password(
    tmp_path: Path, recorded: Make, text: str, url: str, faulty: bool
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "odd.toml").write_text(text, encoding="utf-8")
    [row], _ = HomeList().read(0.0)
    assert (row.url, bool(row.fault)) == (url, faulty)
    assert "hunter2" not in repr(row)
