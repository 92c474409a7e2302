"""Each guard of the agent, with the fault of Windows or of a program that it is there for.

Asserted is what an operator would see: what was started, stopped or installed, what is still
disabled, and what the agent answers.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import powershell_host
from tests.powershell_host import Node, running_node

pytestmark = pytest.mark.powershell

SYSTEM = {"kind": "system"}
INSTANCE = {"instance": "OctopusServer"}
CONNECTION = "Octopus.Storage.ExternalDatabaseConnectionString"
WATCHDOG = "tasks/Octopus Watchdog OctopusServer"
PRODUCT = "{14DB4D69-F879-4444-9752-106160B64C40}"


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("a node")) as running:
        yield running


@pytest.fixture
def node(_running: Node) -> Node:
    _running.reset()
    return _running


def program(node: Node, text: str) -> None:
    """What Octopus.Server.exe is, in the place of the usual one."""
    (node.install_directory / "Octopus.Server.exe").write_text(f"#!/bin/sh\n{text}\n")


def job_folder(node: Node, job_id: str, **files: object) -> Path:
    """A job's folder with these files (``output`` is bytes, the others JSON)."""
    folder = node.octotui / "jobs" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    files = {"job": {"kind": "stop", "parameters": {"timeout": 1}}, **files}
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / f"{name}.txt").write_bytes(content)
        else:
            (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def status(node: Node, job_id: str, offset: int = 0, wait: float = 0) -> dict[str, Any]:
    answer: dict[str, Any] = node.call("job-status", id=job_id, offset=offset, wait=wait).result
    return answer


def assert_free(file: Path) -> None:
    """Nobody has the file open any more."""
    subprocess.run(["flock", "--nonblock", "--exclusive", file, "true"], check=True)


# -- exit codes --------------------------------------------------------------------------------


def test_a_migrator_that_takes_long_is_waited_for_and_its_own_code_told(node: Node) -> None:
    # Nothing is on its outputs until it ends, and it reads its input to the end.
    program(
        node,
        """cat > "$WORLD/stdin"
        sleep 1.2
        echo said
        exec >&- 2>&-
        sleep 0.3
        echo > "$WORLD/migrated"
        exit 3""",
    )
    job = node.job("d", "database-upgrade", **INSTANCE)
    assert node.read("migrated")
    assert (job["exit_code"], job["result"]["problem"]) == (3, "the database upgrade ended with 3")
    assert (node.read("stdin"), job["output"]) == ("", "said\n")


def test_a_migrator_that_was_not_waited_for_has_not_succeeded(node: Node) -> None:
    # There is no time limit; whoever adds one must not make a success of a migrator that runs on.
    text = powershell_host.AGENT.read_text()
    call = re.compile(r'database --upgrade .*--console" \{ param\(\$line\)[^}]*\}')
    text, count = call.subn(lambda found: f"{found[0]} 0.01", text)
    assert count == 1
    limited = node.root / "limited.ps1"
    limited.write_text(text)
    wanted = {"id": "d", "kind": "database-upgrade", "parameters": INSTANCE, "run_as": SYSTEM}
    job = node.call("job-start", script=limited, **wanted).result
    assert (job["state"], job["exit_code"]) == ("ended", 1)
    assert job["result"]["problem"]


def test_a_database_upgrade_that_succeeded_has_no_problem(node: Node) -> None:
    job = node.job("d", "database-upgrade", **INSTANCE)
    assert (job["exit_code"], job["result"]) == (0, {"problem": ""})


@pytest.mark.parametrize("kind", ["database-upgrade", "msi-install", "msi-uninstall"])
def test_a_program_without_an_exit_code_did_not_succeed(node: Node, kind: str) -> None:
    file = node.root / "x.msi"
    file.write_bytes(b"package")
    parameters = {
        "database-upgrade": INSTANCE,
        "msi-install": {
            "path": str(file),
            "sha256": sha256(b"package"),
            "install_directory": str(node.install_directory),
        },
        "msi-uninstall": {"product_code": PRODUCT},
    }[kind]
    node.write("no-exit-code", "yes")
    job = node.job("x", kind, **parameters)
    assert (job["state"], job["exit_code"]) == ("ended", 1)
    assert "exit code" in job["result"]["problem"]


def test_a_service_that_an_installer_starts_is_not_waited_for(node: Node) -> None:
    hold = node.world / "hold"
    os.mkfifo(hold)
    # It keeps the outputs of the program that started it open.
    program(node, f'( read line < "{hold}" ) &\necho started\nexit 5')
    job = node.job("d", "database-upgrade", **INSTANCE)
    with hold.open("w") as released:
        released.write("go on\n")
    assert (job["exit_code"], job["output"]) == (5, "started\n")


def test_a_program_that_is_not_there_is_no_success(node: Node) -> None:
    (node.install_directory / "Octopus.Server.exe").unlink()
    job = node.job("d", "database-upgrade", **INSTANCE)
    assert job["exit_code"] == 1
    assert "Octopus.Server.exe does not exist" in job["result"]["problem"]
    assert node.call("facts").error["code"] == "not-installed"
    request = {"instance": "OctopusServer", "path": "/api", "api_key": ""}
    assert node.call("request", **request).error["code"] == "not-installed"


def test_a_configuration_of_a_program_that_failed_is_not_used(node: Node) -> None:
    text = '{"Octopus.Home": "/x"}'
    program(node, f"echo 'on the way'\necho '{text}'\nexit 4")
    error = node.call("facts").error
    assert error["code"] == "failed"
    assert "show-configuration ended with 4" in error["message"]


def test_a_configuration_is_asked_for_as_json(node: Node) -> None:
    assert node.call("facts").answer["ok"]
    assert node.read("octopus-calls") == (
        "show-configuration --instance=OctopusServer --format=json --noconsolelogging --console\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [("} {", "show-configuration ended with 0"), ("none", "show-configuration ended with 0")],
)
def test_what_is_no_configuration_is_told_so(node: Node, text: str, message: str) -> None:
    program(node, f"echo '{text}'")
    assert node.call("facts").error["message"].endswith(message)


def test_a_configuration_is_what_is_on_standard_output(node: Node) -> None:
    text = json.dumps({"Octopus.Home": "/h", CONNECTION: "Server=s;Database=d"})
    program(node, f"echo '{{ noise' >&2\necho '{text}'\necho '}} noise' >&2")
    (instance,) = node.call("facts").result["instances"]
    assert (instance["home"], instance["database_name"]) == ("/h", "d")


# -- parking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "named"),
    [("sc-lies", "OctopusDeploy"), ("tasks-lie", "Octopus Watchdog OctopusServer")],
)
def test_a_start_that_could_not_be_disabled_is_no_parked_node(
    node: Node, lie: str, named: str
) -> None:
    node.write(lie, "yes")
    error = node.call("park").error
    assert error["code"] == "failed"
    assert error["message"].endswith(f"could be disabled: {named}")
    # What was found is kept: the next call makes good what this one could not.
    (node.world / lie).unlink()
    parked = node.call("park").result
    assert (parked["services"][0]["start_type"], parked["watchdog"][0]["enabled"]) == (
        "automatic",
        True,
    )
    assert node.read("services/OctopusDeploy/start_type") == "disabled"
    assert node.read(WATCHDOG) == "false"


@pytest.mark.parametrize(
    ("denied", "code"), [("com", "not-elevated"), ("yes", "not-elevated"), ("broken", "failed")]
)
def test_missing_rights_are_told_as_such(node: Node, denied: str, code: str) -> None:
    node.write("tasks-deny", denied)
    assert node.call("park").error["code"] == code


@pytest.mark.parametrize("denied", ["sc-denies", "sc-fails", "tasks-deny", "sc-lies", "tasks-lie"])
def test_an_unpark_that_was_cut_off_is_made_good_by_the_next(node: Node, denied: str) -> None:
    node.call("park")
    node.write(denied, "yes")
    error = node.call("unpark").error
    assert error["code"] == ("not-elevated" if "den" in denied else "failed")
    if denied == "sc-fails":
        assert error["message"] == (
            "the start type of OctopusDeploy cannot be changed: [SC] ChangeServiceConfig FAILED"
        )
    (node.world / denied).unlink()
    # Still parked: nobody takes what was set half-way for what was found.
    assert node.call("park").result["services"][0]["start_type"] == "automatic"
    assert node.call("unpark").result["services"][0]["start_type"] == "automatic"
    assert node.read("services/OctopusDeploy/start_type") == "automatic"
    assert node.read(WATCHDOG) == "true"
    assert node.call("unpark").result == {"services": [], "watchdog": []}


def test_the_watchdog_is_enabled_last(node: Node) -> None:
    node.call("park")
    node.write("sc-denies")
    assert not node.call("unpark").answer["ok"]
    # It would start the service before its start type is back.
    assert node.read(WATCHDOG) == "false"


def test_a_start_type_that_is_right_is_not_written_again(node: Node) -> None:
    node.service("OctopusDeploy", "OctopusServer", "stopped", "disabled")
    node.task("Octopus Watchdog OctopusServer", enabled=False)
    node.write("sc-denies")
    node.write("tasks-deny", "yes")
    # There is nothing to change, so missing rights are in nobody's way.
    assert node.call("park").result["services"][0]["start_type"] == "disabled"
    assert node.call("unpark").result["services"][0]["start_type"] == "disabled"


def test_only_the_watchdogs_of_octopus_are_touched(node: Node) -> None:
    node.task("Octopus Watchdog OctopusServer elsewhere", enabled=True)
    parked = node.call("park").result
    assert [task["name"] for task in parked["watchdog"]] == ["Octopus Watchdog OctopusServer"]
    assert node.read("tasks/Octopus Watchdog OctopusServer elsewhere") == "true"
    node.task("Octopus Watchdog OctopusServer elsewhere", enabled=False)
    node.call("unpark")
    assert node.read("tasks/Octopus Watchdog OctopusServer elsewhere") == "false"


def test_a_watchdog_that_is_gone_does_not_keep_the_others_disabled(node: Node) -> None:
    node.task("Octopus Watchdog Another", enabled=True)
    node.call("park")
    (node.world / "tasks" / "Octopus Watchdog Another").unlink()
    back = node.call("unpark").result
    assert [task["name"] for task in back["watchdog"]] == ["Octopus Watchdog OctopusServer"]
    assert node.read(WATCHDOG) == "true"


def test_tasks_are_told_by_name(node: Node) -> None:
    for name in ("B", "C", "A"):
        node.task(f"Octopus Watchdog {name}", enabled=name == "B")
    told = node.call("facts").result["watchdog"]
    assert [(task["name"][17:], task["enabled"]) for task in told] == [
        ("A", False),
        ("B", True),
        ("C", False),
        ("OctopusServer", True),
    ]


def test_other_services_are_left_alone(node: Node) -> None:
    node.service("Another", "x")
    node.write("services/Another/path", "C:\\Another.exe run")
    node.call("park")
    assert node.job("s", "stop", timeout=5)["exit_code"] == 0
    assert node.read("services/Another/start_type") == "automatic"
    assert node.read("services/Another/state") == "running"


# -- one at a time -----------------------------------------------------------------------------


@contextmanager
def mutex_held(node: Node, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process holds the mutex of that name."""
    script = node.root / "hold.ps1"
    of_node = f"Global\\{name}" + str(node.world).replace("/", "_")
    script.write_text(
        f"$m = [Threading.Mutex]::new($true, '{of_node}'); 'held'; $null = [Console]::In.ReadLine()"
    )
    holder = subprocess.Popen(
        [node.pwsh, "-NoProfile", "-File", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=node.environment,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline().strip() == b"held"
        yield holder
    finally:
        holder.stdin.close()
        holder.wait(timeout=30)
        holder.stdout.close()


def test_a_second_installer_or_upgrade_does_nothing(node: Node) -> None:
    with mutex_held(node, "octotui") as holder:
        for kind in ("msi-install", "msi-uninstall", "database-upgrade"):
            job = node.job(kind, kind, product_code=PRODUCT, **INSTANCE)
            assert (job["exit_code"], job["result"]) == (1, {"problem": "busy"})
        assert not (node.world / "msiexec").exists()
        assert not (node.world / "octopus-calls").exists()
        # One that died holds nothing any more.
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=30)
    job = node.job("after", "database-upgrade", **INSTANCE)
    assert (job["exit_code"], job["result"]) == (0, {"problem": ""})


def test_a_mutex_that_is_somebody_elses_counts_as_held(node: Node) -> None:
    node.write("mutex-refused", "System.UnauthorizedAccessException")
    assert node.call("facts").result["installer_busy"] is True
    job = node.job("d", "database-upgrade", **INSTANCE)
    assert (job["exit_code"], job["result"]) == (1, {"problem": "busy"})
    node.write("mutex-refused", "System.IO.IOException")
    assert "refused" in node.call("facts").error["message"]
    job = node.job("e", "database-upgrade", **INSTANCE)
    assert (job["exit_code"], job["result"]["problem"]) == (1, "The mutex is refused.")
    assert "database" not in node.read("octopus-calls")


def test_the_mutex_is_given_back(node: Node) -> None:
    (node.install_directory / "Octopus.Server.exe").rename(node.root / "kept")
    assert node.job("a", "database-upgrade", **INSTANCE)["exit_code"] == 1
    (node.root / "kept").rename(node.install_directory / "Octopus.Server.exe")
    node.write("task-mode", "process")
    assert node.job("b", "database-upgrade", **INSTANCE)["exit_code"] == 0
    node.wait_for_task("b")


def test_a_busy_installer_is_seen_and_not_kept_busy(node: Node) -> None:
    with mutex_held(node, "_MSIExecute"):
        assert node.call("facts").result["installer_busy"] is True
    assert node.call("facts").result["installer_busy"] is False
    with mutex_held(node, "_MSIExecute"):
        # Whoever only looked does not hold it.
        assert node.call("facts").result["installer_busy"] is True


# -- files that are verified -------------------------------------------------------------------


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_was_hashed_is_what_the_installer_reads(node: Node) -> None:
    file = node.root / "x.msi"
    file.write_bytes(b"package")
    node.write("attacker", "yes")
    wanted = {"path": str(file), "sha256": sha256(b"package"), "install_directory": "/x"}
    node.job("m", "msi-install", **wanted)
    assert (node.world / "installed").read_bytes() == b"package"
    assert_free(file)


def test_hash_and_signature_are_of_the_same_bytes(node: Node) -> None:
    file = node.root / "x.msi"
    file.write_bytes(b"package")
    signer = node.read("signer")
    node.write("attacker", "yes")
    proof = node.call("prove-file", path=str(file), sha256=sha256(b"package"), signer=signer).result
    assert (proof["proved"], proof["exists"], proof["size"]) == (True, True, 7)
    assert file.read_bytes() == b"package"
    assert_free(file)


def test_a_file_that_is_not_there_proves_nothing(node: Node) -> None:
    proof = node.call("prove-file", path=str(node.root / "no.msi"), sha256="0", signer="x").result
    assert proof == {
        "path": str(node.root / "no.msi"),
        "exists": False,
        "size": 0,
        "sha256": "",
        "signature": "",
        "signer": "",
        "proved": False,
        "reasons": ["the file does not exist"],
    }


def test_every_reason_against_a_file_is_told(node: Node) -> None:
    file = node.root / "x.msi"
    file.write_bytes(b"package")
    file.with_name("x.msi.signer").write_text("")
    node.write("signer", "")
    proof = node.call("prove-file", path=str(file), sha256="0", signer="same-as-installed").result
    assert proof["reasons"] == [
        "its hash is not the one expected",
        "its signature is NotSigned",
        "the installed Octopus.Server.exe is not signed",
    ]
    assert (proof["proved"], proof["signature"], proof["signer"]) == (False, "NotSigned", "")


# -- installer ---------------------------------------------------------------------------------


def install(node: Node, **changes: str) -> dict[str, Any]:
    file = node.root / "x.msi"
    file.write_bytes(b"package")
    directory = str(node.install_directory)
    wanted = {"path": str(file), "sha256": sha256(b"package"), "install_directory": directory}
    return node.job("m", "msi-install", **wanted | changes)


def test_an_installed_product_is_found_in_both_views_of_the_registry(node: Node) -> None:
    tree = json.loads(node.registry.read_text())
    software = tree["HKEY_LOCAL_MACHINE"]["keys"]["SOFTWARE"]["keys"]
    uninstall = software["Microsoft"]["keys"]["Windows"]["keys"]["CurrentVersion"]
    listed = uninstall["keys"].pop("Uninstall")
    # A wrapper's entry of the same name has no product code for a name.
    listed["keys"]["Octopus"] = listed["keys"][PRODUCT]
    listed["keys"] = dict(sorted(listed["keys"].items()))
    software["WOW6432Node"] = {
        "keys": {"Microsoft": {"keys": {"Windows": {"keys": {"CurrentVersion": {"keys": {}}}}}}}
    }
    node.registry.write_text(json.dumps(tree))
    assert node.call("facts").result["product_code"] == ""
    windows = software["WOW6432Node"]["keys"]["Microsoft"]["keys"]["Windows"]
    windows["keys"]["CurrentVersion"]["keys"]["Uninstall"] = listed
    node.registry.write_text(json.dumps(tree))
    assert node.call("facts").result["product_code"] == PRODUCT


@pytest.mark.parametrize(
    ("manifest", "missing"),
    [
        (None, ["Octopus.Server.manifest"]),
        ("Octopus.Server.exe|1\n \nb.dll\n", ["b.dll"]),
        ("Octopus.Server.exe\n", []),
    ],
)
def test_an_installation_is_complete_when_every_file_is_there(
    node: Node, manifest: str | None, missing: list[str]
) -> None:
    if manifest is not None:
        (node.install_directory / "Octopus.Server.manifest").write_text(manifest)
    job = install(node)
    problem = f"msiexec ended with 0, but {len(missing)} files are missing" if missing else ""
    assert (job["result"]["missing"], job["result"]["problem"]) == (missing, problem)


def test_an_installer_that_leaves_no_program_has_not_succeeded(node: Node) -> None:
    job = install(node, install_directory=str(node.root / "elsewhere"))
    where = node.root / "elsewhere"
    assert job["result"]["problem"] == (
        f"msiexec ended with 0, but Octopus.Server.exe is not in {where}"
    )
    assert (job["result"]["version"], job["result"]["missing"]) == ("", [])


def test_a_failed_installer_is_the_problem_whatever_is_missing(node: Node) -> None:
    node.write("msi-exit-code", "66")
    assert install(node)["result"]["problem"] == "msiexec ended with 66"


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (0, ""),
        (1641, ""),
        (3010, ""),
        (-1, "-1"),
        (1, "1"),
        (1602, "1602: it was cancelled; nothing was changed"),
        (1603, "1603: a fatal error; its log says which"),
        (1605, "1605: that product is not installed"),
        (1612, "1612: the source of the installed package is not available"),
        (1618, "1618: another installation is running"),
        (1619, "1619: the package cannot be opened"),
        (1620, "1620: the package is damaged"),
        (1625, "1625: a policy of this host forbids it"),
        (1638, "1638: another version of this product is installed already"),
        (1639, "1639: its command line is invalid"),
    ],
)
def test_what_an_installers_code_means_is_told(node: Node, code: int, meaning: str) -> None:
    node.write("whole-exit-code", str(code))
    job = node.job("u", "msi-uninstall", product_code=PRODUCT)
    problem = f"msiexec ended with {meaning}" if meaning else ""
    assert (job["exit_code"], job["result"]["problem"]) == (code, problem)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["Return value 1"], []),
        ([str(n) for n in range(20)] + ["Return value 3", "later"], [*map(str, range(10, 20))]),
        (["0", "Return value 3", "1", "Return value 3"], ["0"]),
        (["Return value 3"], []),
    ],
)
def test_of_a_failed_installation_the_lines_before_its_failure_are_shown(
    node: Node, lines: list[str], told: list[str]
) -> None:
    node.write("msi-exit-code", "66")
    node.write("msi-log", "\n".join(lines))
    said = install(node)["output"].splitlines()[1:]
    assert said == ([*told, "Return value 3"] if "Return value 3" in lines else [])


def test_a_log_of_a_successful_installation_is_not_shown(node: Node) -> None:
    node.write("msi-log", "Return value 3\n")
    assert len(install(node)["output"].splitlines()) == 1


def test_what_the_installer_says_is_kept(node: Node) -> None:
    installer = node.root / "Windows" / "System32" / "msiexec.exe"
    installer.write_text("#!/bin/sh\necho said\n")
    job = install(node)
    assert job["output"].splitlines()[1:] == ["said"]


@pytest.mark.parametrize("field", ["path", "install_directory"])
def test_no_value_with_a_quotation_mark_is_passed_on(node: Node, field: str) -> None:
    assert install(node, **{field: 'C:\\x" REBOOT=Force "'})["exit_code"] == 1
    assert not (node.world / "msiexec").exists()


@pytest.mark.parametrize("verb", ["facts", "stop", "start", "database-upgrade"])
def test_no_instance_with_a_quotation_mark_is_passed_on(node: Node, verb: str) -> None:
    name = 'x" --other="'
    node.service("OctopusDeploy", name, "stopped" if verb == "start" else "running")
    node.write("services/OctopusDeploy/path", "Octopus.Server.exe run")
    node.service(f"OctopusDeploy: {name}", name, "stopped" if verb == "start" else "running")
    node.write(f"services/OctopusDeploy: {name}/path", "Octopus.Server.exe run")
    instances = node.program_data / "Octopus" / "OctopusServer" / "Instances"
    entry = {"Name": name, "ConfigurationFilePath": "x"}
    (instances / "OctopusServer.config").write_text(json.dumps(entry))
    if verb == "facts":
        assert node.call("facts").error["code"] == "bad-request"
    else:
        assert node.job("v", verb, instance=name, timeout=1)["exit_code"] == 1
    calls = node.world / "octopus-calls"
    assert not calls.exists() or "--other" not in calls.read_text()


@pytest.mark.parametrize(
    ("code", "valid"),
    [
        (PRODUCT, True),
        (PRODUCT.lower(), True),
        (PRODUCT + " REBOOT=Force", False),
        ("/i " + PRODUCT, False),
        (PRODUCT.replace("4", "G"), False),
        ("{1}", False),
    ],
)
def test_only_a_product_code_is_uninstalled(node: Node, code: str, valid: bool) -> None:
    job = node.job("u", "msi-uninstall", product_code=code)
    assert (job["exit_code"] == 0, (node.world / "msiexec").exists()) == (valid, valid)
    if valid:
        log = str(node.octotui / "jobs" / "u" / "msi.log")
        assert job["result"] == {"log": log, "problem": ""}
        assert node.read("msiexec").splitlines() == [
            "/x",
            code,
            "/quiet",
            "/norestart",
            "/l*v",
            log,
        ]


# -- stop and start ----------------------------------------------------------------------------


def test_a_verb_that_fails_is_told_and_decides_nothing(node: Node) -> None:
    program(node, 'printf stopped > "$WORLD/services/OctopusDeploy/state"\necho no >&2\nexit 6')
    job = node.job("s", "stop", timeout=20)
    assert job["output"].splitlines() == [
        "no",
        "service --stop of instance OctopusServer ended with 6",
    ]
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_of_a_verb_that_succeeds_nothing_is_told(node: Node, verb: str) -> None:
    node.service("OctopusDeploy", "OctopusServer", "stopped" if verb == "start" else "running")
    job = node.job("v", verb, timeout=5)
    assert (job["exit_code"], job["output"]) == (0, "")


def test_a_service_that_runs_is_not_started_again(node: Node) -> None:
    job = node.job("t", "start", timeout=5)
    assert (job["exit_code"], job["result"]["services"][0]["state"]) == (0, "running")
    assert not (node.world / "octopus-calls").exists()


def test_a_start_is_no_success_while_another_service_stands_still(node: Node) -> None:
    node.service("OctopusDeploy", "OctopusServer", "stopped", "manual")
    node.service("OctopusDeploy: Two", "Two", "running", "manual")
    node.write("start-fails")
    job = node.job("t", "start", timeout=0.1)
    assert (job["exit_code"], job["result"]["problem"]) == (
        1,
        "not every Octopus service was running within the time limit",
    )


def test_nothing_to_start_on_a_node_without_services(node: Node) -> None:
    (node.world / "services" / "OctopusDeploy").rename(node.root / "gone")
    job = node.job("t", "start", timeout=1)
    (node.root / "gone").rename(node.world / "services" / "OctopusDeploy")
    assert (job["exit_code"], job["result"]) == (
        1,
        {"services": [], "problem": "no service was to be started: there is none on this node"},
    )


def test_a_service_that_stops_late_is_waited_for(node: Node) -> None:
    program(node, '( sleep 0.3; printf stopped > "$WORLD/services/OctopusDeploy/state" ) &')
    job = node.job("s", "stop", timeout=20)
    assert (job["exit_code"], job["result"]["services"][0]["state"]) == (0, "stopped")


def test_a_start_waits_for_what_ran_and_for_nothing_else(node: Node) -> None:
    node.service("OctopusDeploy: Two", "Two", "stopped", "manual")
    node.call("park")
    node.service("OctopusDeploy", "OctopusServer", "stopped", "disabled")
    program(node, '( sleep 0.3; printf running > "$WORLD/services/OctopusDeploy/state" ) &')
    job = node.job("t", "start", timeout=20)
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")
    told = [(s["state"], s["start_type"]) for s in job["result"]["services"]]
    assert told == [("running", "manual"), ("stopped", "disabled")]


def test_a_service_that_ran_and_is_gone_is_not_started(node: Node) -> None:
    node.call("park")
    (node.world / "services" / "OctopusDeploy").rename(node.root / "gone")
    job = node.job("t", "start", timeout=1)
    (node.root / "gone").rename(node.world / "services" / "OctopusDeploy")
    problem = "no service was to be started: there is none on this node"
    assert (job["exit_code"], job["result"]["problem"]) == (1, problem)


@pytest.mark.parametrize(
    ("path", "name", "instance"),
    [
        ("Octopus.Server.exe run --instance=Two", "A", "Two"),
        ("Octopus.Server.exe run --instance=Two --more", "A", "Two"),
        ('Octopus.Server.exe run --instance="T wo" --more', "A", "T wo"),
        ("Octopus.Server.exe run -instance Two", "A", "Two"),
        ("Octopus.Server.exe run", "OctopusDeploy: Three", "Three"),
        ("Octopus.Server.exe run", "OctopusDeploy", "OctopusServer"),
        ("Octopus.Server.exe run", "Not OctopusDeploy: Three", "OctopusServer"),
    ],
)
def test_a_service_is_known_by_its_instance(
    node: Node, path: str, name: str, instance: str
) -> None:
    node.service(name, "x")
    node.write(f"services/{name}/path", path)
    told = node.call("services").result["services"]
    assert {s["name"]: s["instance"] for s in told}[name] == instance


def test_delayed_start_is_seen_on_windows_before_2016_too(node: Node) -> None:
    node.write("old-windows", "yes")
    assert node.call("services").result["services"][0]["start_type"] == "automatic"
    tree = json.loads(node.registry.read_text())
    key = {"values": {"DelayedAutostart": {"type": "DWord", "data": 1}}}
    system = {"CurrentControlSet": {"keys": {"Services": {"keys": {"OctopusDeploy": key}}}}}
    tree["HKEY_LOCAL_MACHINE"]["keys"]["SYSTEM"] = {"keys": system}
    node.registry.write_text(json.dumps(tree))
    assert node.call("services").result["services"][0]["start_type"] == "automatic-delayed"


def test_services_that_are_on_their_way_are_not_stopped(node: Node) -> None:
    for state in ("stopping", "starting"):
        node.service("OctopusDeploy", "OctopusServer", state)
        told = node.call("services").result["services"][0]
        assert (told["state"], told["process_id"]) == (state, 0)
    node.service("OctopusDeploy", "OctopusServer", "running")
    told = node.call("services").result["services"][0]
    assert (told["process_id"], told["account"]) == (4711, "LocalSystem")


# -- jobs --------------------------------------------------------------------------------------


def test_a_start_that_comes_second_by_a_hair_attaches_to_the_first(node: Node) -> None:
    node.write("another-start", "a.1")
    wanted = {"id": "a.1", "kind": "stop", "parameters": {"timeout": 1}, "run_as": SYSTEM}
    job = node.call("job-start", **wanted).result
    assert (job["state"], job["exit_code"], job["output"]) == ("ended", 7, "said")
    assert not (node.world / "registered").exists()
    assert [folder.name for folder in (node.octotui / "jobs").iterdir()] == ["a.1"]


def test_a_job_leaves_nothing_but_what_tells_of_it(node: Node) -> None:
    node.job("d", "database-upgrade", **INSTANCE)
    folder = node.octotui / "jobs" / "d"
    assert sorted(file.name for file in folder.iterdir()) == [
        "end.json",
        "job.json",
        "output.txt",
        "process.json",
    ]
    assert [f.name for f in folder.parent.iterdir()] == ["d"]


def test_a_job_that_runs_already_does_not_run_again(node: Node) -> None:
    folder = job_folder(node, "d", process={"process_id": 1, "started": 1.5})
    ran = run_job(node, "d")
    assert ran.returncode != 0
    assert sorted(file.name for file in folder.iterdir()) == ["job.json", "process.json"]
    assert not (node.world / "octopus-calls").exists()


def test_a_kind_of_job_is_written_in_one_way_only(node: Node) -> None:
    wanted = {"id": "a", "parameters": {"timeout": 1}, "run_as": SYSTEM}
    assert node.call("job-start", kind="Stop", **wanted).error["code"] == "bad-request"
    assert node.read("services/OctopusDeploy/state") == "running"


def test_a_start_tells_the_output_from_its_beginning(node: Node) -> None:
    wanted = {"id": "d", "kind": "database-upgrade", "parameters": INSTANCE, "run_as": SYSTEM}
    first = node.call("job-start", **wanted).result
    assert first["output"].startswith("connecting") or first["output"].startswith("to standard")
    assert node.call("job-start", **wanted).result == first


@pytest.mark.parametrize("job_id", ["../d", "D", ""])
def test_only_an_id_is_run(node: Node, job_id: str) -> None:
    job_folder(node, "../d")
    job_folder(node, "D")
    assert run_job(node, job_id).returncode != 0
    assert not (node.world / "octopus-calls").exists()


def run_job(node: Node, job_id: str) -> subprocess.CompletedProcess[bytes]:
    """What a scheduled task runs."""
    command = [node.pwsh, "-NoProfile", "-File", node.functions, "job", powershell_host.AGENT]
    return subprocess.run([*command, job_id], env=node.environment, capture_output=True)


@pytest.mark.parametrize(
    ("job_id", "valid"),
    [("a", True), ("0", True), ("a" * 121, True), ("a" * 122, False), ("-a", False), ("aB", False)],
)
def test_an_id_is_a_plain_name(node: Node, job_id: str, valid: bool) -> None:
    answer = node.call("job-status", id=job_id, offset=0, wait=0).answer
    assert answer["ok"] is valid


def impatient(node: Node, seconds: str = "0.3") -> Path:
    """The agent, which gives a task up sooner."""
    text = powershell_host.AGENT.read_text()
    line = next(line for line in text.splitlines() if line.startswith("$StartPatience = "))
    file = node.root / "impatient.ps1"
    file.write_text(text.replace(line, f"$StartPatience = {seconds}"))
    return file


def test_a_task_that_does_not_begin_is_given_up_and_cannot_begin_any_more(node: Node) -> None:
    node.write("task-mode", "never")
    wanted = {"id": "a.1", "kind": "stop", "parameters": {"timeout": 1}, "run_as": SYSTEM}
    job = node.call("job-start", script=impatient(node), **wanted).result
    assert (job["state"], job["exit_code"]) == ("ended", 1)
    assert "did not begin within 0.3 s (last result 0x00041303)" in job["result"]["problem"]
    assert node.read("unregistered") == "\\octotui\\a.1\n"
    assert run_job(node, "a.1").returncode != 0
    assert node.read("services/OctopusDeploy/state") == "running"


def test_a_job_that_was_never_begun_is_waited_for_twice_as_long_as_its_start(node: Node) -> None:
    folder = job_folder(node, "a.1")
    then = (folder / "job.json").stat().st_mtime
    os.utime(folder / "job.json", (then - 45, then - 45))
    assert status(node, "a.1")["state"] == "running"
    os.utime(folder / "job.json", (then - 61, then - 61))
    assert status(node, "a.1")["state"] == "ended"


def test_a_task_that_begins_at_the_last_moment_is_left_alone(node: Node) -> None:
    node.write("task-mode", "never")
    node.write("begins-late", str(node.octotui / "jobs" / "a.1"))
    node.write("process-4000077")
    wanted = {"id": "a.1", "kind": "stop", "parameters": {"timeout": 1}, "run_as": SYSTEM}
    job = node.call("job-start", script=impatient(node), **wanted).result
    assert (job["state"], job["exit_code"]) == ("running", None)
    assert not (node.world / "unregistered").exists()


def test_a_job_that_ends_while_it_is_looked_at_is_not_lost(node: Node) -> None:
    folder = job_folder(node, "a.1", process={"process_id": 4000077, "started": 1000.0})
    node.write("ends-meanwhile", str(folder))
    node.write("registered", "\\octotui\\a.1|\n")
    job = status(node, "a.1")
    assert (job["state"], job["exit_code"]) == ("ended", 0)
    assert not (node.world / "unregistered").exists()


def test_a_lost_jobs_task_is_removed(node: Node) -> None:
    job_folder(node, "a.1", process={"process_id": 4000077, "started": 1000.0})
    node.write("registered", "\\octotui\\a.1|\n")
    assert status(node, "a.1")["state"] == "lost"
    assert node.read("unregistered") == "\\octotui\\a.1\n"


@pytest.mark.parametrize(("started", "state"), [(1000.9, "running"), (1001.1, "lost")])
def test_a_process_is_known_by_its_start(node: Node, started: float, state: str) -> None:
    job_folder(node, "a.1", process={"process_id": 4000077, "started": started})
    node.write("process-4000077")
    assert status(node, "a.1")["state"] == state


def test_a_job_that_ended_is_told_with_its_result(node: Node) -> None:
    end = {"exit_code": 5, "result": {"problem": "p", "more": [1]}}
    job_folder(node, "a.1", end=end, output=b"said", process={"process_id": 1, "started": 1.5})
    assert status(node, "a.1") == {
        "id": "a.1",
        "state": "ended",
        "exit_code": 5,
        "result": {"problem": "p", "more": [1]},
        "output": "said",
        "next_offset": 4,
    }
    assert status(node, "a.1", 9)["next_offset"] == 9


@pytest.mark.parametrize("character", ["\u00e4", "\u20ac", "\U0001f419"])
def test_a_character_is_told_when_all_of_it_is_there(node: Node, character: str) -> None:
    folder = job_folder(node, "a.1")
    data = character.encode()
    for count in range(1, len(data)):
        (folder / "output.txt").write_bytes(b"xy" + data[:count])
        told = status(node, "a.1")
        assert (told["output"], told["next_offset"]) == ("xy", 2)
        assert status(node, "a.1", 2)["next_offset"] == 2
    (folder / "output.txt").write_bytes(b"xy" + data)
    told = status(node, "a.1")
    assert (told["output"], told["next_offset"]) == ("xy" + character, 2 + len(data))


def test_output_that_is_no_utf_8_is_told_too(node: Node) -> None:
    job_folder(node, "a.1", output=b"\x80" * 6)
    assert status(node, "a.1")["next_offset"] == 6


def test_more_output_than_an_answer_holds_ends_with_a_whole_character(node: Node) -> None:
    end = {"exit_code": 0, "result": {"problem": ""}}
    folder = job_folder(node, "a.1", end=end, output=b"x" + "\u20ac".encode() * 30_000)
    told = status(node, "a.1")
    assert (told["next_offset"], told["output"][-1]) == (65536, "\u20ac")
    (folder / "output.txt").write_bytes(b"x" + "\u00e4".encode() * 40_000)
    assert status(node, "a.1")["next_offset"] == 65535
    (folder / "output.txt").write_bytes(b"x" * 70_000)
    assert status(node, "a.1")["next_offset"] == 65536
    assert status(node, "a.1", 65536)["next_offset"] == 70_000
    assert_free(folder / "output.txt")


def test_waiting_ends_at_its_time(node: Node) -> None:
    job_folder(node, "a.1", output=b"said")
    begun = time.monotonic()
    told = status(node, "a.1", offset=4, wait=0.3)
    assert (told["state"], told["output"]) == ("running", "")
    assert 0.3 <= time.monotonic() - begun < 5
    begun = time.monotonic()
    # What is there already is not waited for.
    assert status(node, "a.1", offset=3, wait=20)["output"] == "d"
    assert status(node, "none", wait=20)["state"] == "absent"
    assert time.monotonic() - begun < 10


def test_waiting_ends_with_output_that_comes_meanwhile(node: Node) -> None:
    folder = job_folder(node, "a.1")
    begun = time.monotonic()
    threading.Timer(0.4, (folder / "output.txt").write_bytes, [b"said"]).start()
    assert status(node, "a.1", wait=20)["output"] == "said"
    threading.Timer(0.4, (folder / "output.txt").write_bytes, [b"said more"]).start()
    assert status(node, "a.1", offset=4, wait=20)["output"] == " more"
    assert time.monotonic() - begun < 15


def test_a_job_that_starts_is_told_at_once(node: Node) -> None:
    node.write("task-mode", "process")
    hold = node.world / "hold"
    os.mkfifo(hold)
    program(node, f'echo begun\nread line < "{hold}"\nexit 3')
    wanted = {"id": "d", "kind": "database-upgrade", "parameters": INSTANCE, "run_as": SYSTEM}
    begun = time.monotonic()
    assert node.call("job-start", **wanted).result["state"] == "running"
    told = status(node, "d", wait=25)
    assert (told["state"], told["output"]) == ("running", "begun\n")
    threading.Timer(0.3, hold.write_text, ["go on\n"]).start()
    told = status(node, "d", offset=6, wait=25)
    assert (told["state"], told["exit_code"]) == ("ended", 3)
    assert time.monotonic() - begun < 20
    node.wait_for_task("d")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Server=x;Pwd = 'a;b' ;Database=y", "Server=x;Pwd = *** ;Database=y"),
        ('password: "a b", next', "password: ***, next"),
        ("PASSWORD=a,b", "PASSWORD=***,b"),
        ("run --masterKey=abc --x", "run --masterKey=*** --x"),
        ("run -licenseBase64 abc --x", "run -licenseBase64 *** --x"),
        ("the passwords of others", "the passwords of others"),
    ],
)
def test_no_secret_comes_into_the_output(node: Node, line: str, told: str) -> None:
    node.write("line", f"{line}\n")
    program(node, 'cat "$WORLD/line"')
    assert node.job("d", "database-upgrade", **INSTANCE)["output"] == f"{told}\n"


def test_no_secret_comes_into_a_problem(node: Node) -> None:
    node.write("sql-refuses", "yes")
    job = node.job("q", "database-state", **INSTANCE)
    assert job["result"]["state"]["problem"] == "Refused with Password=***;"
    node.write("task-refused", "Password=hunter2; is wrong")
    wanted = {"id": "x", "kind": "stop", "parameters": {"timeout": 1}, "run_as": SYSTEM}
    job = node.call("job-start", **wanted).result
    assert job["result"]["problem"].endswith("could not be started: Password=***; is wrong")
    node.write("task-refused", "")
    (node.octotui / "parked.json").write_text('{"services": "Password=hunter2;')
    assert "hunter2" not in json.dumps(node.call("park").error)


# -- packages ----------------------------------------------------------------------------------


class Packages(http.server.BaseHTTPRequestHandler):
    """Sends a package without saying how long it is."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"package")

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_package_of_unknown_length_is_staged(node: Node) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Packages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/a"
        wanted = {"url": url, "file_name": "x.msi", "sha256": sha256(b"package").upper()}
        job = node.job("a", "stage", **wanted, size=None)
        refused = node.job("b", "stage", **wanted, size="7")
        server.shutdown()
        thread.join()
    file = node.octotui / "packages" / "x.msi"
    assert (job["exit_code"], job["output"]) == (0, "")
    assert job["result"] == {
        "path": str(file),
        "sha256": sha256(b"package"),
        "size": 7,
        "problem": "",
    }
    assert_free(file)
    assert (refused["exit_code"], refused["result"]["problem"]) == (
        1,
        "parameter size is not a number",
    )


# -- database ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (
            "Server=s;Database=d;Integrated Security=True;Encrypt=Strict;Failover Partner=f;"
            "MultiSubnetFailover=True;Connect Timeout=7;Authentication=a",
            "Data Source=s;Initial Catalog=d;Integrated Security=True;Encrypt=True;"
            "Failover Partner=f;MultiSubnetFailover=True;Connect Timeout=7;Authentication=a",
        ),
        (
            "Data Source=s;Initial Catalog=d;Trusted_Connection=True;Encrypt=yes;"
            "Connection Timeout=7;TrustServerCertificate=True",
            "Data Source=s;Initial Catalog=d;Integrated Security=True;Encrypt=True;"
            "Connect Timeout=7;TrustServerCertificate=True",
        ),
        (
            "Address=s;Database=d;UID=u;PWD=p;Encrypt=Optional;Timeout=7",
            "Data Source=s;Initial Catalog=d;User ID=u;Password=p;Encrypt=False;Connect Timeout=7",
        ),
        (
            "Addr=s;Database=d;User=u;Password=yes;Encrypt=no",
            "Data Source=s;Initial Catalog=d;User ID=u;Password=yes;Encrypt=False",
        ),
        (
            "Network Address=s;Database=d;User ID=no;Password=mandatory;Encrypt=False",
            "Data Source=s;Initial Catalog=d;User ID=no;Password=mandatory;Encrypt=False",
        ),
    ],
)
def test_a_connection_is_made_of_every_keyword_of_either_driver(
    node: Node, given: str, passed: str
) -> None:
    node.configure(**{CONNECTION: given})
    node.write("sql.json", "{}")
    node.job("q", "database-state", **INSTANCE)
    parts = node.read("connection-string").rstrip(";").split(";")
    wanted = {*passed.split(";"), "Application Name=octotui"}
    assert {part.lower() for part in parts} == {part.lower() for part in wanted}


def test_a_connection_string_that_is_none_is_not_repeated(node: Node) -> None:
    node.configure(**{CONNECTION: "hunter2"})
    assert node.call("facts").error["message"] == (
        "the connection string of the instance cannot be understood"
    )
    node.configure(**{CONNECTION: "User ID=x"})
    (instance,) = node.call("facts").result["instances"]
    assert (instance["database_server"], instance["database_name"]) == ("", "")


def test_a_backup_that_cannot_be_verified_is_no_backup(node: Node) -> None:
    node.write("sql-error", "The backup set is damaged.")
    node.write("sql-error-of", "RESTORE VERIFYONLY")
    job = node.job("b", "backup", **INSTANCE, path="/b")
    assert (job["exit_code"], job["result"]["verified"]) == (1, False)
    assert job["result"]["problem"] == "The backup set is damaged."
    assert job["result"]["started"] <= job["result"]["finished"]
    assert job["output"].splitlines()[-1] == "The backup set is damaged."
    assert node.read("statements").count("\n") == 2


def test_a_backup_that_can_be_seen_is_measured(node: Node) -> None:
    folder = node.root / "backups"
    folder.mkdir(exist_ok=True)
    result = node.job("b", "backup", **INSTANCE, path=f"{folder}/")["result"]
    assert (result["verified"], result["size"]) == (True, 6)
    assert Path(result["file"]).read_text() == "backup"


def test_what_sql_server_says_is_told_once(node: Node) -> None:
    job = node.job("b", "backup", **INSTANCE, path="/b")
    assert job["output"].splitlines()[1:] == ["5 percent processed."] * 2
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")


@pytest.mark.parametrize("kind", ["backup", "database-state"])
@pytest.mark.parametrize("refused", [False, True])
def test_every_connection_is_closed(node: Node, kind: str, refused: bool) -> None:
    node.write("sql.json", '{"SELECT": {"owner": 1, "who": "x", "version": "1", "Version": "1"}}')
    if refused:
        node.write("sql-error", "No.")
        node.write("sql-refuses", "yes")
    node.job("b", kind, **INSTANCE, path="/b")
    assert node.read("connections") == "opened\nclosed\n"


def test_a_database_out_of_reach_makes_no_backup(node: Node) -> None:
    node.write("sql-down", "yes")
    job = node.job("b", "backup", **INSTANCE, path="/b")
    assert (job["exit_code"], job["result"]["verified"]) == (1, False)
    assert "network-related" in job["result"]["problem"]
    assert job["output"].startswith("backing up Octopus on sql.example.com to /b/Octopus-")


def test_an_unread_database_is_told_as_unread(node: Node) -> None:
    node.write("sql-down", "yes")
    node.write("processes", "12 Octopus.Server.exe run\n")
    state = node.job("q", "database-state", **INSTANCE)["result"]["state"]
    assert state.pop("problem")
    assert state == {
        "reachable": False,
        "identity": "example\\admin",
        "db_owner": False,
        "server": "sql.example.com",
        "database": "Octopus",
        "server_version": "",
        "history": [],
        "nodes": [],
        "migrator_running": False,
    }


# -- facts -------------------------------------------------------------------------------------


def put(node: Node, path: str, **values: object) -> None:
    """Adds a key below HKEY_LOCAL_MACHINE."""
    tree = json.loads(node.registry.read_text())
    key = tree["HKEY_LOCAL_MACHINE"]
    for name in path.split("\\"):
        key = key.setdefault("keys", {}).setdefault(name, {})
    key["values"] = {name: {"type": "MultiString", "data": data} for name, data in values.items()}
    node.registry.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("key", "values", "reason"),
    [
        (
            "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update"
            "\\RebootRequired",
            {},
            ["Windows Update"],
        ),
        (
            "SYSTEM\\CurrentControlSet\\Control\\Session Manager",
            {"PendingFileRenameOperations": ["a", ""]},
            ["PendingFileRenameOperations"],
        ),
        ("SYSTEM\\CurrentControlSet\\Control\\Session Manager", {}, []),
    ],
)
def test_a_restart_that_windows_waits_for_is_told(
    node: Node, key: str, values: dict[str, object], reason: list[str]
) -> None:
    put(node, key, **values)
    assert node.call("facts").result["pending_reboot"] == reason


def test_whoami_that_fails_is_no_identity(node: Node) -> None:
    for text in ("exit 1", 'printf \'"x","S-1"\\r\\n\'; exit 1', "exit 0"):
        (node.root / "Windows" / "System32" / "whoami.exe").write_text(f"#!/bin/sh\n{text}\n")
        assert node.call("facts").error["message"] == "whoami.exe does not tell who we are"


def test_the_right_drives_are_told_with_their_room(node: Node) -> None:
    instances = node.program_data / "Octopus" / "OctopusServer" / "Instances"
    entry = {"Name": "Two", "ConfigurationFilePath": "x"}
    (instances / "Two.config").write_text(json.dumps(entry))
    node.configure(**{"Octopus.Home": "/media/empty/home"})
    assert [d["purposes"] for d in node.call("facts").result["disks"]] == [
        ["install", "home"],
        ["staging"],
    ]
    node.configure(**{"Octopus.Home": str(node.program_data / "home")})
    ours = f"{node.program_data}/"
    assert node.call("facts").result["disks"] == [
        {"name": "C:", "free": 5000, "size": 9000, "purposes": ["install"]},
        {"name": ours, "free": 100, "size": 200, "purposes": ["home", "staging"]},
    ]


@pytest.mark.parametrize(
    ("version", "told"),
    [("2025.2.13071.7", "2025.2.13071"), ("2025.2", ""), ("", ""), ("1.2.3-x", "1.2.3")],
)
def test_of_a_version_three_numbers_count(node: Node, version: str, told: str) -> None:
    node.write("version", version)
    assert node.call("facts").result["version"] == told


def test_a_node_without_instances_or_name_has_facts_too(node: Node) -> None:
    node.configure(**{"Octopus.Server.NodeName": ""})
    assert node.call("facts").result["instances"][0]["node_name"] == "OCTO1"
    instances = node.program_data / "Octopus" / "OctopusServer" / "Instances"
    for name in ("B", "A"):
        entry = {"Name": name, "ConfigurationFilePath": f"{name}.config"}
        (instances / f"{name}.config").write_text(json.dumps(entry))
    (instances / "notes.txt").write_text("none")
    told = node.call("facts").result["instances"]
    assert [(i["name"], i["config_file"][-8:]) for i in told] == [
        ("A", "A.config"),
        ("B", "B.config"),
        ("OctopusServer", "x.config"),
    ]
    for file in instances.iterdir():
        file.unlink()
    instances.rmdir()
    assert node.call("facts").result["instances"] == []


# -- request, log ------------------------------------------------------------------------------


class Elsewhere(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/other")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_redirect_is_told_and_not_followed(node: Node) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        prefix = f" http://+:{server.server_address[1]}/ ; http://x/"
        node.configure(**{"Octopus.WebPortal.ListenPrefixes": prefix})
        ask = {"instance": "octopusserver", "path": "/api", "api_key": ""}
        assert node.call("request", **ask).result["status"] == 302
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("content", "limit", "text"),
    [
        ("\ufeffab".encode("utf-16-le"), 3, "b"),
        ("\ufeffab".encode("utf-16-le") + b"c", 4, "ab"),
        (b"\xff", 9, "\ufffd"),
        (b"\xff\xfe", 9, ""),
        (b"\xef\xbb\xbfabc", 2, "bc"),
        (b"abc", 3, "abc"),
        (b"0123456789", 3, "789"),
        (b"012345678", 4, "5678"),
        ("\ufeffab".encode("utf-16-be"), 3, "b"),
        (b"\xfe\xff", 9, ""),
        (b"\xffab", 9, "\ufffdab"),
        (b"\xfeab", 9, "\ufffdab"),
        (b"a\xfeb", 9, "a\ufffdb"),
        (b"a\xffb", 9, "a\ufffdb"),
        (b"\xef\xbba", 9, "\ufffda"),
        (b"\xefa\xbf", 9, "\ufffda\ufffd"),
        (b"a\xbb\xbf", 9, "a\ufffd\ufffd"),
        (b"abc", 0, ""),
        (b"abc", -1, ""),
    ],
)
def test_a_log_is_read_by_whole_characters(
    node: Node, content: bytes, limit: int, text: str
) -> None:
    node.octotui.mkdir()
    (node.octotui / "x.log").write_bytes(content)
    path = str(node.octotui / "x.log")
    assert node.call("log", path=path, limit=limit).result == {"text": text}
    assert_free(node.octotui / "x.log")
