"""The main job over real protocols: child processes, sockets, and the lab's ground truth."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from octotui.run.directory import RunDirectory
from octotui.run.reading import ReadingJournal
from octotui.view import fold
from tests.command_line import (
    LIMIT,
    OCTOTUI,
    Ended,
    Lab,
    hold_before,
    in_a_terminal,
    lab_up,
    octotui,
)
from tests.package_site import site_with_gate
from tests.powershell_host import find_powershell

TARGET, INSTALLED = "2025.4.10428", "2025.2.13071"


def assert_upgraded(ended: Ended, lab: Lab) -> None:
    assert ended.code == 0, ended.said
    truth = lab.truth()
    assert truth["violations"] == []
    assert (truth["database"]["version"], truth["database"]["upgrades"]) == (TARGET, 1)
    assert truth["cluster"]["maintenance"] == truth["cluster"]["initial_maintenance"]
    for node in truth["nodes"].values():
        assert (node["version"], node["service"], node["installs"]) == (TARGET, "running", 1)
        assert (node["draining"], node["watchdog"]) == (False, "enabled")


def assert_complete(events: list[dict[str, Any]]) -> None:
    assert events[0]["kind"] == "run.started"
    assert events[-1]["kind"] == "run.ended"
    assert events[-1]["data"]["outcome"] == "succeeded"
    assert set(events[0]) == {"seq", "at", "run", "subject", "kind", "data"}


def assert_documented_order(actions: list[dict[str, Any]]) -> None:
    def at(action: str, node: str | None = None) -> list[float]:
        return [a["at"] for a in actions if a["action"] == action and node in (None, a["node"])]

    moments = [
        at("maintenance-on"),
        at("service-stop"),
        at("msi-install", "OCTO1"),
        at("database-upgrade"),
        at("serving", "OCTO1"),
        at("serving", "OCTO2") + at("serving", "OCTO3"),
        at("maintenance-off"),
    ]
    assert all(moments)
    for before, after in itertools.pairwise(moments):
        assert max(before) < min(after)


def test_upgrade_of_the_lab_with_one_node(tmp_path: Path) -> None:
    with lab_up(tmp_path, nodes=1) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless", "--json")
        assert_upgraded(ended, lab)
    assert_complete(ended.events)


def test_upgrade_of_the_lab_in_the_documented_order(tmp_path: Path) -> None:
    # Slower than others: here installers and services take long enough to be waited for.
    with lab_up(tmp_path, speed=60) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless", "--json")
        assert_upgraded(ended, lab)
        assert_documented_order(lab.truth()["actions"])
    assert_complete(ended.events)


def test_demo_without_a_terminal(tmp_path: Path) -> None:
    ended = octotui("demo", "--speed", "300")
    assert ended.code == 0, ended.said
    assert "\x1b" not in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("Upgraded 2025.2.13071 to 2025.4.10428.")
    for node in ("OCTO1", "OCTO2", "OCTO3"):
        assert f"  {node}: " in ended.stdout


def test_a_failing_installer_on_another_node(tmp_path: Path) -> None:
    with lab_up(tmp_path, faults=["node2:msi-exit=1603"]) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless")
        truth = lab.truth(final=False)
    assert ended.code == 4, ended.said
    assert truth["violations"] == []
    assert truth["database"]["upgrades"] == 1
    assert truth["nodes"]["OCTO2"]["service"] == "stopped"
    assert truth["nodes"]["OCTO2"]["start_type"] == "disabled"
    assert truth["nodes"]["OCTO2"]["watchdog"] == "disabled"
    for name in ("OCTO1", "OCTO3"):
        assert (truth["nodes"][name]["service"], truth["nodes"][name]["version"]) == (
            "running",
            TARGET,
        )
    last = "\n".join(ended.stdout.splitlines()[-8:])
    assert "OCTO2" in last
    assert "octotui resume" in last
    assert "leave-out OCTO2" in last


def test_then_the_cause_is_put_right_and_the_run_resumed(tmp_path: Path) -> None:
    with lab_up(tmp_path, faults=["node2:msi-exit=1603,times=1"]) as lab:
        assert octotui("upgrade", lab.profile, "--yes", "--headless").code == 4
        [run] = json.loads(octotui("runs", "--json").stdout)
        assert (run["state"], run["alive"]) == ("needs_person", False)
        ended = octotui("resume", run["run"], "--headless")
        assert_upgraded(ended, lab)
        again = octotui("resume", run["run"], "--headless", "--json")
        assert [e["kind"] for e in again.events] == ["run.ended"]


def test_a_failing_database_upgrade_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with lab_up(tmp_path, faults=["database:upgrade-fails"]) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless")
        truth = lab.truth()
    assert ended.code == 1, ended.said
    assert truth["violations"] == []
    assert truth["database"]["version"] == INSTALLED
    assert truth["cluster"]["maintenance"] is False
    for node in truth["nodes"].values():
        assert (node["version"], node["service"]) == (INSTALLED, "running")
        assert (node["draining"], node["watchdog"], node["start_type"]) == (
            False,
            "enabled",
            "automatic",
        )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("node2:unreachable", "OCTO2"),
        ("node2:wrong-credentials", "OCTO2"),
        ("node3:disk-full", "OCTO3"),
        ("node3:other-version", "OCTO3"),
        ("node1:no-database-rights", "db_owner"),
        ("license:not-compliant", "licen"),
        ("api-key:not-administrator", "AdministerSystem"),
    ],
)
def test_what_a_check_refuses_changes_nothing(tmp_path: Path, fault: str, words: str) -> None:
    with lab_up(tmp_path, faults=[fault]) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless")
        truth = lab.truth()
    assert ended.code == 3, ended.said
    assert "fail" in ended.stdout
    assert words in ended.stdout
    assert truth["actions"] == []


@pytest.mark.parametrize("fault", ["download:tampered", "download:truncated"])
def test_a_package_that_is_not_what_was_published_goes_nowhere(tmp_path: Path, fault: str) -> None:
    with lab_up(tmp_path, faults=[fault]) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless")
        truth = lab.truth()
    assert ended.code == 1, ended.said
    assert truth["violations"] == []
    assert not {a["action"] for a in truth["actions"]} - {"stage"}


def test_check_and_plan_change_nothing(tmp_path: Path) -> None:
    with lab_up(tmp_path) as lab:
        checked = octotui("check", lab.profile, "--json")
        planned = octotui("plan", lab.profile, "--json")
        assert octotui("plan", lab.profile).code == 0
        unapproved = octotui("upgrade", lab.profile, "--headless")
        assert lab.truth()["actions"] == []
    findings = json.loads(checked.stdout)["findings"]
    assert (checked.code, planned.code) == (0, 0)
    assert {f["result"] for f in findings} == {"pass"}
    plan = json.loads(planned.stdout)
    assert plan["phases"][0] == "preflight"
    assert set(plan["estimate"]) == {
        "outage_seconds",
        "all_up_seconds",
        "maintenance_seconds",
        "based_on_runs",
    }
    assert unapproved.code == 4
    assert "--yes" in unapproved.stdout


def test_the_next_plan_rests_on_what_this_cluster_took(tmp_path: Path) -> None:
    with lab_up(tmp_path) as lab:
        first = octotui("upgrade", lab.profile, "--to", "2025.3.14287", "--yes", "--headless")
        assert first.code == 0, first.said
        planned = octotui("plan", lab.profile, "--json")
        told = octotui("plan", lab.profile)
    plan = json.loads(planned.stdout)
    assert plan["estimate"]["based_on_runs"] == 1
    # The lab is three hundred times as fast as the typical values.
    assert 0 < plan["estimate"]["outage_seconds"] < 60
    measure = plan["measures"]["migrating.database"]
    step = next(s for s in plan["steps"] if s["id"].startswith("migrating.database@"))
    assert 0 < step["seconds"] == measure["median"] == measure["last"] == measure["worst"] < 30
    assert "measured in 1 past run)" in told.stdout.replace("\n", " ")


def test_the_viewer_may_die_and_the_run_goes_on(tmp_path: Path) -> None:
    with lab_up(tmp_path) as lab, site_with_gate(lab) as gate:
        viewer = subprocess.Popen(
            [*OCTOTUI, "upgrade", str(lab.profile), "--yes", "--headless"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert viewer.stdout is not None
        for line in viewer.stdout:
            if "staging:" in line:
                break
        viewer.send_signal(signal.SIGKILL)
        viewer.wait()
        viewer.stdout.close()
        gate.set()
        attached = octotui("attach", "--json")
        assert_upgraded(attached, lab)
    assert attached.events[0]["kind"] == "run.started"


def test_the_runner_may_die_and_the_run_is_taken_up_again(tmp_path: Path) -> None:
    with lab_up(tmp_path) as lab:
        hold_before(lab, "starting")  # it may get there before it is killed, but no further
        with in_a_terminal("upgrade", lab.profile, "--yes", "--plain") as viewer:
            viewer.until("staging:")
            run = RunDirectory.find()
            pid = fold(ReadingJournal(run.journal, run.run_id).events()).pid
            assert pid is not None
            viewer.until("migrating:")
            os.kill(pid, signal.SIGKILL)
            assert viewer.ended() == 4
        [row] = json.loads(octotui("runs", "--json").stdout)
        assert not row["alive"]
        assert octotui("control", row["run"], "release", "all").code == 0
        assert_upgraded(octotui("resume", row["run"], "--headless"), lab)


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with lab_up(tmp_path) as lab, site_with_gate(lab) as gate:
        first = subprocess.Popen(
            [*OCTOTUI, "upgrade", str(lab.profile), "--yes", "--headless", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert first.stdout is not None
        for line in first.stdout:
            if json.loads(line)["kind"] == "plan":
                break
        second = octotui("upgrade", lab.profile, "--yes", "--headless", "--json")
        holder = json.loads(line)["run"]
        [refused] = second.events
        assert (second.code, refused["kind"]) == (3, "run.refused")
        assert refused["run"] == holder
        gate.set()
        first.stdout.read()
        assert first.wait(120) == 0
        first.stdout.close()
        assert lab.truth()["database"]["upgrades"] == 1


@pytest.mark.powershell
def test_the_same_upgrade_with_a_real_powershell_on_every_node(tmp_path: Path) -> None:
    with lab_up(tmp_path, nodes=2, powershell=str(find_powershell())) as lab:
        ended = octotui("upgrade", lab.profile, "--yes", "--headless")
        assert_upgraded(ended, lab)


def test_a_bad_profile_is_told_with_line_and_column(tmp_path: Path) -> None:
    profile = tmp_path / "bad.toml"
    profile.write_text('[octopus]\nurl = "https://octopus.example.com"\napi_kay = "env:KEY"\n')
    for command in (["upgrade", "--yes", "--headless"], ["profile", "check"], ["plan"]):
        ended = octotui(*command, profile)
        assert ended.code == 2
        assert "bad.toml:3:1:" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["upgrade"],
        ["upgrade", "no-such-profile", "--headless"],
        ["attach", "no-such-run"],
        ["control", "no-such-run", "hold"],
        ["control", "x", "explode"],
        ["lab", "up", "--fault", "node1:explode", "--profile", "lab.toml"],
        ["no-such-command"],
        ["demo", "--nodes", "0"],
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    ended = octotui(*arguments)
    assert ended.code == 2, ended.said
    assert ended.stderr.strip()
    assert "Traceback" not in ended.stderr


def test_version_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys; sys.argv = ['octotui', '--version']\n"
        "import octotui.cli.main as m\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'httpx', 'winrm', 'pluggy', 'textual', 'asyncio', 'octotui_lab'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([OCTOTUI[0], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_a_headless_upgrade_imports_no_textual(tmp_path: Path) -> None:
    code = (
        "import sys, octotui.cli.upgrade, octotui.cli.runner, octotui.cli.follow\n"
        "print('textual' in sys.modules)"
    )
    done = subprocess.run([OCTOTUI[0], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_ctrl_c_ends_the_viewer_and_not_the_run(tmp_path: Path) -> None:
    with lab_up(tmp_path) as lab, site_with_gate(lab) as gate:
        viewer = subprocess.Popen(
            [*OCTOTUI, "upgrade", str(lab.profile), "--yes", "--headless"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A job in the background inherits that Ctrl-C is ignored; a person's shell does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert viewer.stdout is not None
        for line in viewer.stdout:
            if "staging:" in line:
                break
        viewer.send_signal(signal.SIGINT)
        _, said = viewer.communicate(timeout=LIMIT)
        assert viewer.returncode == 130
        assert "The run goes on: staging" in said
        gate.set()
        assert_upgraded(octotui("attach"), lab)
