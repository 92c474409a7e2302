"""Plain lines and reports: sentences without escape codes, the outcome first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from octotui.api.events import Event
from octotui.cli.lines import PlainLines, about, duration, finding_line
from octotui.report.markdown import render
from octotui.view import RunView, fold
from tests.rehearsal import quick, rehearse_one
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


def printed(events: list[Event]) -> list[str]:
    """What a viewer prints that looks every ten seconds."""
    view, lines = RunView(), list[str]()
    plain = PlainLines(view, lines.append)
    for before, event in zip([None, *events], events, strict=False):
        at = before.at if before else event.at
        while (at := at + 10.0) < event.at:
            plain.tick(at)
        view.apply(event)
        plain.event(event)
    plain.closing()
    return lines


def without_time(lines: list[str]) -> list[str]:
    return [line[10:] if line[2:3] == ":" else line for line in lines]


RUNS: dict[str, dict[str, Any]] = {
    "succeeded": {},
    "refused": {"faults": ["node2:unreachable", "node1:disk-full"]},
    "rolled_back": {"faults": ["database:upgrade-fails"]},
    "needs_person": {"faults": ["node2:msi-exit=1603"]},
    "failed": {"spoil": lambda data: data[:100]},
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCTOTUI_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        for name, lab in RUNS.items():
            found[name] = rehearse_one(tmp_path_factory.mktemp("lab"), nodes=2, **lab)
    return found


@pytest.mark.parametrize("name", RUNS)
def test_every_line_of_a_real_run_reads_well(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert outcome.state == name
    lines = printed(outcome.events)
    for line in lines:
        assert line.isprintable(), f"no escape codes, no line breaks: {line!r}"
        assert line.strip()
        assert line == line.rstrip()
        for clumsy in ("None", "{", "}", "..", "  :", ": :", "@", "rolling_back", "needs_person"):
            assert clumsy not in line, line
        for node in ("OCTO1", "OCTO2"):
            assert f"{node}: {node}" not in line, line
    assert lines[-len(outcome.last.data["lines"]) :] == outcome.last.data["lines"]


def test_each_phase_is_announced_with_what_it_does(outcomes: dict[str, Outcome]) -> None:
    lines = without_time(printed(outcomes["succeeded"].events))
    announced = [line for line in lines if not line.startswith(" ")]
    for words in (
        "run run-1  http://octopus.lab  OCTO1 OCTO2",
        "preflight: read all facts and run every check",
        "draining: drain every node, wait for running tasks",
        "migrating: point of no return: upgrade the database once",
        "finishing: put everything back as it was found",
    ):
        assert any(line.startswith(words) for line in announced), announced
    assert announced[-1] == f"Upgraded 2025.2.13071 to {TARGET}."


def test_the_clocks_are_not_ahead_of_what_happened(outcomes: dict[str, Outcome]) -> None:
    lines = without_time(printed(outcomes["succeeded"].events))
    migrating = next(line for line in lines if line.startswith("migrating"))
    joining = next(line for line in lines if line.startswith("joining"))
    finishing = next(line for line in lines if line.startswith("finishing"))
    assert "outage" in migrating
    assert "all up" not in migrating
    assert "not all up for" in joining
    assert "all up after" in finishing


def test_long_steps_say_how_long_and_what_they_wait_for(outcomes: dict[str, Outcome]) -> None:
    lines = without_time(printed(outcomes["succeeded"].events))
    assert "  OCTO1: install the new package, about 1:15" in lines
    assert "  OCTO1: install the new package, 0:20 of about 1:15" in lines
    assert any("waiting: 2 tasks running, oldest: Deploy" in line for line in lines)
    assert any("wait until it serves the new version, 0:10 of about 1:00: it" in x for x in lines)
    assert any("scripts so far: " in line and "INFO" not in line for line in lines)


def test_a_failure_says_what_it_means_how_things_were_left_and_what_to_do(
    outcomes: dict[str, Outcome],
) -> None:
    lines = without_time(printed(outcomes["needs_person"].events))
    failed = next(i for i, line in enumerate(lines) if "FAILED" in line)
    assert "1603: Windows Installer met a fatal error" in lines[failed]
    told = lines[failed + 1 : failed + 6]
    assert told[0].startswith("    The installer's log on the node: ")
    assert told[1] == "    OCTO2 is stopped and parked"
    assert "then retry" in told[2]
    assert "Return value 3" in told[-1]
    assert "needs a person: joining did not end well" in lines


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("succeeded", f"# Upgraded {INSTALLED} to {TARGET}."),
        ("refused", "# Refused by a check; nothing was changed."),
        (
            "rolled_back",
            "# Rolled back: 2025.2.13071 serves again and everything is as it was found.",
        ),
        ("needs_person", "# Needs a person: joining did not end well; maintenance mode is on."),
        (
            "failed",
            "# Failed; no installation was changed, but packages may lie staged on OCTO1, OCTO2.",
        ),
    ],
)
def test_a_report_begins_with_the_outcome_and_what_is_not_as_it_was_found(
    outcomes: dict[str, Outcome], name: str, first: str
) -> None:
    report = render(fold(outcomes[name].events)).splitlines()
    assert report[0] == first
    told = outcomes[name].last.data["lines"][1:]
    assert report[2 : 2 + len(told)] == [f"- {line}" for line in told]
    assert not any("None" in line for line in report)


def test_a_report_of_a_run_under_way_says_in_which_state_it_is(
    outcomes: dict[str, Outcome],
) -> None:
    events = outcomes["succeeded"].events
    draining = next(i for i, e in enumerate(events) if e.data.get("to") == "draining")
    report = render(fold(events[: draining + 1]))
    assert report.startswith("# draining\n")
    assert "still running" in report


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (6.6, "0:07"), (59.4, "0:59"), (59.5, "1:00"), (750, "12:30"), (3723, "1:02:03")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_finding_names_its_node_once_and_keeps_its_sentences_apart() -> None:
    finding = {
        "check": "disk-space", "result": "fail", "node": "N1", "evidence": "N1 is full.",
        "fix": "Free 7 GiB", "waived": True,
    }  # fmt: skip
    assert finding_line(finding) == "fail  disk-space: N1 is full. Free 7 GiB (waived)"
    passed = {**finding, "result": "pass", "evidence": "85 GiB are free", "waived": False}
    assert finding_line(passed) == "pass  disk-space: N1: 85 GiB are free"


def test_nothing_is_said_twice_within_the_quiet_time(tmp_path: Path) -> None:
    lines: list[str] = []
    view = RunView()
    plain = PlainLines(view, lines.append)
    plain.tick(50.0)
    assert lines == [], "nothing runs, nothing is said"
    assert about(None, "text") == "text"
