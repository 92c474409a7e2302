"""Whole upgrades in virtual time: the documented order, and no safety rule broken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from octotui.api.errors import TransportError
from octotui.upgrade.plan import Options
from octotui_lab.inprocess import Moment
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome, Simulation, simulate
from tests.virtual_time import run_virtually


def assert_upgraded(outcome: Outcome) -> None:
    assert outcome.state == "succeeded", outcome.lines
    assert outcome.code == 0
    truth = outcome.truth
    assert truth["violations"] == []
    assert truth["database"]["version"] == TARGET
    assert truth["database"]["upgrades"] == 1
    assert truth["cluster"]["maintenance"] == truth["cluster"]["initial_maintenance"]
    for node in truth["nodes"].values():
        assert node["version"] == TARGET
        assert node["service"] == "running"
        assert node["installs"] == 1
        assert not node["draining"]
        assert node["watchdog"] == "enabled"
        assert node["start_type"] == "automatic"


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
@pytest.mark.parametrize("rollout", ["first-node", "all-nodes"])
@pytest.mark.parametrize("reopen", ["all-verified", "first-verified"])
def test_upgrade(tmp_path: Path, nodes: int, rollout: str, reopen: str) -> None:
    options = Options(rollout=rollout, reopen=reopen)  # type: ignore[arg-type]
    assert_upgraded(simulate(tmp_path, nodes=nodes, options=options))


def test_the_documented_order(tmp_path: Path) -> None:
    outcome = simulate(tmp_path)
    order = outcome.actions(
        "maintenance-on",
        "service-stop",
        "msi-install",
        "database-upgrade",
        "serving",
        "maintenance-off",
    )
    assert order[0] == ("maintenance-on", None)
    assert {a for a, _ in order[1:4]} == {"service-stop"}
    assert order[4:7] == [
        ("msi-install", "OCTO1"),
        ("database-upgrade", "OCTO1"),
        ("serving", "OCTO1"),
    ]
    assert {n for a, n in order[7:] if a == "msi-install"} == {"OCTO2", "OCTO3"}
    assert order[-1] == ("maintenance-off", None)


def test_maintenance_mode_that_was_on_stays_on(tmp_path: Path) -> None:
    outcome = simulate(tmp_path, maintenance=True)
    assert_upgraded(outcome)
    assert outcome.truth["cluster"]["maintenance"] is True


def test_the_journal_is_in_order_and_complete(tmp_path: Path) -> None:
    events = simulate(tmp_path).events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[0].kind == "run.started"
    assert events[-1].kind == "run.ended"
    started = [e.data["step"] for e in events if e.kind == "step.started"]
    ended = [e.data["step"] for e in events if e.kind == "step.ended"]
    assert sorted(started) == sorted(ended)
    assert len(started) == len(set(started)), "nothing was done twice"


def test_a_database_upgrade_that_fails_is_backed_out(tmp_path: Path) -> None:
    outcome = simulate(tmp_path, faults=["database:upgrade-fails"])
    assert outcome.state == "rolled_back", outcome.lines
    assert outcome.code == 1
    truth = outcome.truth
    assert truth["violations"] == []
    assert truth["database"]["version"] == INSTALLED
    assert truth["cluster"]["maintenance"] is False
    for node in truth["nodes"].values():
        assert (node["version"], node["service"]) == (INSTALLED, "running")
        assert (node["draining"], node["watchdog"]) == (False, "enabled")
        assert node["start_type"] == "automatic"


def test_a_node_that_was_found_stopped_is_upgraded_and_left_stopped(tmp_path: Path) -> None:
    async def run() -> Outcome:
        simulation = Simulation(tmp_path)
        simulation.lab.stop_service("OCTO3", "somebody before us")
        await asyncio.sleep(60)
        return await simulation.upgrade()

    outcome = run_virtually(run())
    assert outcome.state == "succeeded", outcome.lines
    node = outcome.truth["nodes"]["OCTO3"]
    assert (node["version"], node["service"]) == (TARGET, "stopped")
    assert node["start_type"] == "automatic"
    assert outcome.nodes("version") == dict.fromkeys(outcome.truth["nodes"], TARGET)


def test_no_installer_runs_before_the_backup_has_read_the_configuration(tmp_path: Path) -> None:
    """The program that reads it is the one that the installer replaces."""
    events = simulate(tmp_path).events
    at = {(e.kind, e.data["step"]): e.seq for e in events if e.kind.startswith("step.")}
    begun = at["step.ended", "installing.backup-begin"]
    assert begun < at["step.started", "installing.install@OCTO1"]
    assert begun < at["step.ended", "installing.backup"]


def test_the_wait_of_hashing_is_not_outage(tmp_path: Path) -> None:
    events = simulate(tmp_path).events
    proofs = [e.seq for e in events if e.kind == "step.ended" and ".prove@" in e.data["step"]]
    stops = [e.seq for e in events if e.kind == "step.started" and ".stop@" in e.data["step"]]
    assert max(proofs) < min(stops)


def test_the_installers_logs_are_kept_also_after_a_success(tmp_path: Path) -> None:
    assert_upgraded(simulate(tmp_path))
    kept = {path.name: path.read_text() for path in (tmp_path / "logs").glob("*msi-target*")}
    assert sorted(name.partition("-")[0] for name in kept) == ["OCTO1", "OCTO2", "OCTO3"]
    assert all("is returning 0" in text for text in kept.values())


@pytest.mark.parametrize("problem", [TransportError("it broke", node="OCTO2"), OSError("no")])
def test_an_upgrade_does_not_fail_for_want_of_an_installers_log(
    tmp_path: Path, problem: Exception
) -> None:
    def loses_logs(moment: Moment, what: str) -> None:
        if moment == "after" and what.endswith(" log"):
            raise problem

    outcome = simulate(tmp_path, hooks={"OCTO2": loses_logs})
    assert_upgraded(outcome)
    ended = [e.data for e in outcome.events if e.kind == "step.ended" and "log@" in e.data["step"]]
    assert {data["node"]: bool(data["result"]["kept"]) for data in ended} == {
        "OCTO1": True,
        "OCTO2": False,
        "OCTO3": True,
    }
