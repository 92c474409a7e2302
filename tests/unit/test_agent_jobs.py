"""The agent's jobs in a real PowerShell: starting once, telling, ending, what each kind does."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octotui.api.facts import READ_ONLY_VERBS, DatabaseState, Job, Services
from octotui.windows.conversion import convert
from tests.powershell_host import AGENT, Node, find_tsql_check, running_node

pytestmark = pytest.mark.powershell

SYSTEM = {"kind": "system"}
INSTANCE = {"instance": "OctopusServer"}


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("a node")) as running:
        yield running


@pytest.fixture
def node(_running: Node) -> Node:
    _running.reset()
    return _running


def start(
    node: Node,
    job_id: str = "run.stop.1",
    run_as: dict[str, str] = SYSTEM,
    timeout: float = 5,
) -> Job:
    answer = node.call(
        "job-start", id=job_id, kind="stop", parameters={"timeout": timeout}, run_as=run_as
    )
    return convert(answer.result, Job)


def status(node: Node, job_id: str = "run.stop.1", offset: int = 0, wait: float = 0) -> Job:
    return convert(node.call("job-status", id=job_id, offset=offset, wait=wait).result, Job)


def folder(node: Node, job_id: str = "run.stop.1") -> Path:
    return node.octotui / "jobs" / job_id


# -- starting and telling ----------------------------------------------------------------------


def test_a_job_never_started_is_absent(node: Node) -> None:
    assert status(node) == Job("run.stop.1", "absent", None, {}, "", 0)


def test_a_second_start_attaches_to_the_first(node: Node) -> None:
    first = start(node)
    assert (first.state, first.exit_code) == ("ended", 0)
    assert start(node) == first
    assert node.read("registered").count("\n") == 1
    assert node.read("octopus-calls").count("service --stop") == 1


def test_an_id_of_another_kind_is_a_conflict(node: Node) -> None:
    start(node)
    request = {"id": "run.stop.1", "kind": "backup", "parameters": {}, "run_as": SYSTEM}
    assert node.call("job-start", **request).error["code"] == "job-conflict"


@pytest.mark.parametrize(
    ("run_as", "registered"),
    [
        ({"kind": "system"}, "S-1-5-18 ServiceAccount Highest|||"),
        ({"kind": "gmsa", "username": "EX\\o$"}, "EX\\o$ Password Highest|||"),
        ({"kind": "account", "username": "EX\\o", "password": 's e"c|'}, '|EX\\o|s e"c||Highest'),
    ],
)
def test_a_job_runs_in_a_task_of_the_identity(
    node: Node, run_as: dict[str, str], registered: str
) -> None:
    start(node, run_as=run_as)
    task = node.read("registered").strip()
    assert task.startswith(f"\\octotui\\run.stop.1|{registered}|00:00:00 4 True True|")
    assert "powershell.exe|-NoProfile -NonInteractive " in task
    assert task.endswith(f'-ExecutionPolicy Bypass -File "{AGENT}" job-run run.stop.1')
    assert node.read("unregistered") == "\\octotui\\run.stop.1\n"
    kept = b"".join(f.read_bytes() for f in node.octotui.rglob("*") if f.is_file())
    assert b's e"c' not in kept
    assert b"s e\\" not in kept


def test_a_refused_task_is_a_job_that_never_began(node: Node) -> None:
    node.write("task-refused", "The user name or password is incorrect.")
    job = start(node)
    assert (job.state, job.exit_code) == ("ended", 1)
    assert "password is incorrect" in str(job.result["problem"])
    assert start(node) == job


def test_a_job_that_was_given_up_cannot_begin_any_more(node: Node) -> None:
    node.write("task-refused", "no")
    start(node)
    node.write("task-refused", "")
    node.job("other.1", "stop", timeout=1)
    late = subprocess.run(
        [node.pwsh, "-NoProfile", "-File", node.functions, "job", AGENT, "run.stop.1"],
        env=node.environment,
        capture_output=True,
    )
    assert late.returncode != 0
    assert status(node).exit_code == 1
    assert "service --stop" in node.read("octopus-calls")
    assert not (folder(node) / "output.txt").exists()


def age(file: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_a_job_whose_start_was_cut_off_is_given_up_after_a_while(node: Node) -> None:
    folder(node).mkdir(parents=True)
    (folder(node) / "job.json").write_text('{"kind": "stop", "parameters": {"timeout": 1}}')
    assert status(node).state == "running"
    age(folder(node) / "job.json", 90)
    job = status(node)
    assert (job.state, job.exit_code) == ("ended", 1)
    assert "never begun" in str(job.result["problem"])
    assert node.read("unregistered") == "\\octotui\\run.stop.1\n"


@pytest.mark.parametrize("same_id_is_used_again", [False, True])
def test_a_job_whose_process_is_gone_is_lost(node: Node, same_id_is_used_again: bool) -> None:
    folder(node).mkdir(parents=True)
    (folder(node) / "job.json").write_text('{"kind": "stop", "parameters": {"timeout": 1}}')
    (folder(node) / "process.json").write_text('{"process_id": 4000077, "started": 500.0}')
    (folder(node) / "output.txt").write_text("so far")
    if same_id_is_used_again:
        node.write("process-4000077")
    job = status(node)
    assert (job.state, job.exit_code, job.output) == ("lost", None, "so far")
    (folder(node) / "process.json").write_text('{"process_id": 4000077, "started": 1000.4}')
    assert status(node).state == ("running" if same_id_is_used_again else "lost")


def test_output_is_told_in_pieces_of_whole_characters(node: Node) -> None:
    text = "xö\U0001f419" * 15_000
    folder(node).mkdir(parents=True)
    (folder(node) / "job.json").write_text('{"kind": "stop", "parameters": {}}')
    (folder(node) / "output.txt").write_bytes(text.encode())
    (folder(node) / "end.json").write_text('{"exit_code": 0, "result": {"problem": ""}}')
    told, offset = "", 0
    while piece := status(node, offset=offset):
        assert piece.next_offset - offset <= 65536
        if not piece.output:
            break
        told, offset = told + piece.output, piece.next_offset
    assert told == text
    assert offset == len(text.encode())


def test_half_a_character_waits_for_its_other_half(node: Node) -> None:
    folder(node).mkdir(parents=True)
    (folder(node) / "job.json").write_text('{"kind": "stop", "parameters": {}}')
    (folder(node) / "output.txt").write_bytes(b"ab\xc3")
    assert (status(node).output, status(node).next_offset) == ("ab", 2)
    (folder(node) / "end.json").write_text('{"exit_code": 0, "result": {"problem": ""}}')
    assert status(node).output == "ab�"


def test_waiting_ends_with_the_first_news(node: Node) -> None:
    node.write("task-mode", "process")
    node.write("stop-lies")
    begun = start(node, timeout=1)
    assert begun.state == "running"
    before = time.monotonic()
    job = status(node, wait=30)
    while job.state == "running":
        job = status(node, offset=job.next_offset, wait=30)
    assert time.monotonic() - before < 25
    assert (job.state, job.exit_code) == ("ended", 1)
    assert "within the time limit" in str(job.result["problem"])
    node.wait_for_task("run.stop.1")


# -- stop and start ----------------------------------------------------------------------------


def test_stop_stops_every_instance_and_proves_it(node: Node) -> None:
    node.service("OctopusDeploy: Two", "Two")
    node.service("OctopusDeploy: Three", "Three", "stopped")
    job = node.job("s", "stop", timeout=5)
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")
    told = {k: v for k, v in job["result"].items() if k != "problem"}
    assert convert(told, Services).proved_stopped
    assert node.read("octopus-calls").splitlines() == [
        "service --stop --instance=OctopusServer",
        "service --stop --instance=Two",
    ]


@pytest.mark.parametrize("trap", ["stop-lies", "processes"])
def test_stop_believes_no_exit_code(node: Node, trap: str) -> None:
    node.write(trap, "12 Octopus.Server.exe run\n")
    job = node.job("s", "stop", timeout=0.2)
    assert job["exit_code"] == 1
    assert "within the time limit" in job["result"]["problem"]


def test_whoever_only_looks_does_not_keep_a_node_from_being_stopped(node: Node) -> None:
    looking = "".join(
        f"{number} Octopus.Server.exe {verb} --instance=OctopusServer\n"
        for number, verb in enumerate(sorted(READ_ONLY_VERBS), 12)
    )
    node.write("processes", looking)
    job = node.job("s", "stop", timeout=5)
    assert (job["exit_code"], job["result"].pop("problem")) == (0, "")
    told = convert(job["result"], Services)
    assert [process.verb for process in told.processes] == sorted(READ_ONLY_VERBS)
    assert told.proved_stopped


@pytest.mark.parametrize("verb", ["run", "database", "service", "node", ""])
def test_a_process_of_any_other_verb_counts_as_running(node: Node, verb: str) -> None:
    node.write("processes", f"12 Octopus.Server.exe {verb}\n")
    job = node.job("s", "stop", timeout=0.1)
    assert (job["exit_code"], bool(job["result"].pop("problem"))) == (1, True)
    assert not convert(job["result"], Services).proved_stopped


def test_start_starts_what_ran_when_the_node_was_parked(node: Node) -> None:
    node.service("OctopusDeploy: Two", "Two", "stopped", "manual")
    node.call("park")
    node.job("s", "stop", timeout=5)
    job = node.job("t", "start", timeout=5)
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")
    assert "processes" not in job["result"]
    assert node.read("services/OctopusDeploy/start_type") == "manual"
    assert node.read("services/OctopusDeploy: Two/start_type") == "disabled"
    assert node.read("services/OctopusDeploy: Two/state") == "stopped"


@pytest.mark.parametrize("verb", ["stop", "start"])
@pytest.mark.parametrize("outputs", ["", "exec >&- 2>&-"])
def test_a_verb_that_hangs_is_left_alone_at_the_deadline(
    node: Node, verb: str, outputs: str
) -> None:
    state = "stopped" if verb == "start" else "running"
    node.service("OctopusDeploy", "OctopusServer", state)
    node.service("OctopusDeploy: Two", "Two", state)
    hold = node.world / "hold"
    os.mkfifo(hold)
    (node.install_directory / "Octopus.Server.exe").write_text(
        f"""#!/bin/sh
        echo "$@" >> "$WORLD/octopus-calls"
        echo working
        {outputs}
        read line < "{hold}"
        """
    )
    job = node.job("v", verb, timeout=0.3)
    assert job["exit_code"] == 1
    assert "within the time limit" in job["result"]["problem"]
    assert job["output"].splitlines() == [
        "working",
        f"service --{verb} of instance OctopusServer had not ended at the time limit",
        f"service --{verb} of instance Two was not begun: the time limit was over",
    ]
    assert node.read("octopus-calls").splitlines() == [f"service --{verb} --instance=OctopusServer"]
    # It still waits for us: nobody ended it.
    with hold.open("w") as released:
        released.write("go on\n")


@pytest.mark.parametrize("state", ["running", "starting", "stopping", "paused"])
def test_start_takes_every_state_but_stopped_for_having_run(node: Node, state: str) -> None:
    node.service("OctopusDeploy", "OctopusServer", state)
    node.call("park")
    node.job("s", "stop", timeout=5)
    assert node.job("t", "start", timeout=5)["exit_code"] == 0
    assert node.read("services/OctopusDeploy/state") == "running"


def test_start_of_nothing_has_not_done_what_its_name_says(node: Node) -> None:
    node.service("OctopusDeploy", "OctopusServer", "stopped")
    node.call("park")
    job = node.job("t", "start", timeout=5)
    problem = "no service was to be started: none ran when the node was parked"
    assert (job["exit_code"], job["result"]["problem"]) == (1, problem)
    assert [service["state"] for service in job["result"]["services"]] == ["stopped"]
    assert not (node.world / "octopus-calls").exists()


def test_start_says_what_does_not_run(node: Node) -> None:
    node.service("OctopusDeploy", "OctopusServer", "stopped", "automatic")
    node.write("start-fails")
    job = node.job("t", "start", timeout=0.2)
    assert (job["exit_code"], bool(job["result"]["problem"])) == (1, True)
    assert node.read("services/OctopusDeploy/start_type") == "automatic"


# -- packages ----------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Where packages come from, and what was asked of it."""
    asked: list[str] = []

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404 if self.path == "/none" else 200)
            self.send_header("Content-Length", "9" if self.path == "/cut" else "7")
            self.end_headers()
            self.wfile.write(b"package")

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


SHA256 = hashlib.sha256(b"package").hexdigest()


def test_stage_downloads_once(node: Node, site: tuple[str, list[str]]) -> None:
    url, asked = site
    wanted = {"url": f"{url}/a", "file_name": "Octopus.1-x64.msi", "sha256": SHA256, "size": 7}
    file = node.octotui / "packages" / "Octopus.1-x64.msi"
    for job_id in ("a", "b"):
        job = node.job(job_id, "stage", **wanted)
        assert job["exit_code"] == 0
        assert job["result"] == {"path": str(file), "sha256": SHA256, "size": 7, "problem": ""}
    assert asked == ["/a"]
    file.write_bytes(b"tampered")
    assert node.job("c", "stage", **wanted | {"size": None})["exit_code"] == 0
    assert file.read_bytes() == b"package"
    assert asked == ["/a", "/a"]
    assert [f.name for f in file.parent.iterdir()] == ["Octopus.1-x64.msi"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": "00"}, f"has the hash {SHA256}, not 00"),
        ({"size": 8}, "has 7 bytes, not 8"),
        ({"path": "/none"}, "404"),
        ({"path": "/cut"}, "could not be downloaded"),
        ({"file_name": "../agent.ps1"}, "no file name"),
    ],
)
def test_stage_keeps_nothing_that_is_not_the_package(
    node: Node, site: tuple[str, list[str]], change: dict[str, Any], why: str
) -> None:
    wanted = {"url": site[0] + change.get("path", "/a"), "file_name": "x.msi"}
    changes = {name: value for name, value in change.items() if name != "path"}
    job = node.job("a", "stage", **{**wanted, "sha256": SHA256, "size": 7, **changes})
    assert job["exit_code"] == 1
    assert why in job["result"]["problem"]
    assert list((node.octotui / "packages").glob("*")) == []
    assert not (node.octotui / "agent.ps1").exists()


def install(node: Node, **changes: str) -> dict[str, Any]:
    file = node.root / "x y.msi"
    file.write_bytes(b"package")
    directory = f"{node.install_directory}/"
    wanted = {"path": str(file), "sha256": SHA256, "install_directory": directory}
    return node.job("m", "msi-install", **wanted | changes)


def test_msi_install_says_what_is_there_afterwards(node: Node) -> None:
    node.write("msi-replaces-version", "2025.3.14287.0")
    (node.install_directory / "here.dll").write_text("")
    manifest = "Octopus.Server.exe\nhere.dll\tabc\nweb/gone.js|1.0\r\n\n"
    (node.install_directory / "Octopus.Server.manifest").write_text(manifest)
    job = install(node)
    log = str(folder(node, "m") / "msi.log")
    assert job["exit_code"] == 0
    assert job["result"] == {
        "version": "2025.3.14287",
        "product_code": "{14DB4D69-F879-4444-9752-106160B64C40}",
        "log": log,
        "missing": ["web/gone.js"],
        "problem": "msiexec ended with 0, but 1 files are missing",
    }
    assert node.read("msiexec").splitlines() == [
        "/i",
        str(node.root / "x y.msi"),
        "/quiet",
        "/norestart",
        "/l*v",
        log,
        "RUNMANAGERONEXIT=no",
        f"INSTALLLOCATION={node.install_directory}",
    ]


REINSTALL = ["REINSTALL=ALL", "REINSTALLMODE=amus"]


@pytest.mark.parametrize(
    ("wanted", "installed", "added"),
    [
        ({"version": "2025.2.13071"}, True, REINSTALL),
        ({"version": "2025.3.14287"}, True, []),
        ({"version": "2025.2.13071"}, False, []),
        ({}, True, []),
    ],
)
def test_what_is_installed_already_is_reinstalled(
    node: Node, wanted: dict[str, str], installed: bool, added: list[str]
) -> None:
    if not installed:
        tree = node.registry.read_text().replace("Octopus Deploy Server", "Another Server")
        node.registry.write_text(tree)
    install(node, **wanted)
    assert node.read("msiexec").splitlines()[8:] == added


def test_an_installed_product_without_its_program_is_reinstalled(node: Node) -> None:
    (node.install_directory / "Octopus.Server.exe").unlink()
    install(node, version="2025.3.14287")
    assert node.read("msiexec").splitlines()[8:] == REINSTALL


@pytest.mark.parametrize(("code", "succeeded"), [(194, False), (66, False)])
def test_the_installers_own_code_is_the_jobs(node: Node, code: int, succeeded: bool) -> None:
    # Programs end with eight bits here; whole codes are proved with the lab.
    node.write("msi-exit-code", str(code))
    log = "Action start\nCustomActionX\nAction ended. Return value 3.\nlater\n"
    node.write("msi-log", "\ufeff".encode("utf-16-le") + log.encode("utf-16-le"))
    job = install(node)
    assert job["exit_code"] == code
    assert job["result"]["problem"] == f"msiexec ended with {code}"
    said = job["output"].splitlines()
    assert said[-1] == "Action ended. Return value 3."
    assert "CustomActionX" in said


def test_nothing_is_installed_that_was_not_proved(node: Node) -> None:
    job = install(node, sha256="00")
    assert (job["exit_code"], "has the hash" in job["result"]["problem"]) == (1, True)
    assert not (node.world / "msiexec").exists()


def test_a_quotation_mark_reaches_no_command_line(node: Node) -> None:
    job = install(node, install_directory='C:\\x" REBOOT=Force "')
    assert job["exit_code"] == 1
    assert not (node.world / "msiexec").exists()


def test_msi_uninstall_by_product_code_only(node: Node) -> None:
    job = node.job("u", "msi-uninstall", product_code="{14DB4D69-F879-4444-9752-106160B64C40}")
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")
    assert node.read("msiexec").split("\n")[:2] == ["/x", "{14DB4D69-F879-4444-9752-106160B64C40}"]
    assert node.job("v", "msi-uninstall", product_code="/i evil.msi")["exit_code"] == 1


def test_only_one_installer_or_upgrade_at_a_time(node: Node) -> None:
    name = "Global\\octotui" + re.sub(r"[\\/]", "_", str(node.world))
    script = node.root / "hold.ps1"
    script.write_text(
        f"$m = [Threading.Mutex]::new($true, '{name}'); 'held'; $null = [Console]::In.ReadLine()"
    )
    holder = subprocess.Popen(
        [node.pwsh, "-NoProfile", "-File", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=node.environment,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == b"held"
    try:
        job = node.job("d", "database-upgrade", **INSTANCE)
        assert (job["exit_code"], job["result"]) == (1, {"problem": "busy"})
        assert node.job("s", "stop", timeout=5)["exit_code"] == 0
    finally:
        holder.stdin.close()
        holder.wait(timeout=30)
    assert node.job("e", "database-upgrade", **INSTANCE)["exit_code"] == 0


# -- database ----------------------------------------------------------------------------------


def test_database_upgrade_tells_all_but_secrets(node: Node) -> None:
    node.write("database-exit-code", "3")
    job = node.job("d", "database-upgrade", **INSTANCE)
    assert job["exit_code"] == 3
    assert job["result"] == {"problem": "the database upgrade ended with 3"}
    said = job["output"].splitlines()
    assert sorted(said) == ["connecting with Password=***;", "naïve", "to standard error"]
    call = "database --upgrade --instance=OctopusServer --console"
    assert node.read("octopus-calls").splitlines()[-1] == call
    assert node.job("e", "database-upgrade", instance="Other")["exit_code"] == 1


def test_a_migrator_whose_output_cannot_be_kept_is_waited_for(node: Node) -> None:
    output = folder(node, "d") / "output.txt"
    program = node.install_directory / "Octopus.Server.exe"
    # More than a pipe holds, on both; a folder in the place of the file refuses every line.
    program.write_text(
        f"""#!/bin/sh
        mkdir "{output}"
        i=0
        while [ $i -lt 300 ]; do
          printf '%500d\\n' $i; printf '%500d\\n' $i >&2; i=$((i + 1))
        done
        echo > "$WORLD/migrated"
        exit 3
        """
    )
    job = node.job("d", "database-upgrade", **INSTANCE)
    assert node.read("migrated")
    assert (job["exit_code"], job["result"]["problem"]) == (3, "the database upgrade ended with 3")
    assert str(output) in job["result"]["output_problem"]


def rows(node: Node, owner: int = 1) -> None:
    answers = {
        "SELECT IS_MEMBER": {"owner": owner, "who": "EX\\octo", "version": "15.0.4"},
        "SELECT TOP": [{"Version": "2025.2.13071", "Installed": "2025-05-01T10:00:00"}],
        "SELECT * FROM": [
            {"Id": "n2", "LastSeen": None, "Name": "OCTO2"},
            {"Id": "n1", "LastSeen": "2025-05-02T10:00:00", "Name": "OCTO1"},
        ],
    }
    node.write("sql.json", json.dumps(answers))


def database_state(node: Node) -> DatabaseState:
    job = node.job("q", "database-state", **INSTANCE)
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")
    return convert(job["result"]["state"], DatabaseState)


def test_database_state_is_what_the_database_says(node: Node) -> None:
    rows(node)
    node.write("processes", "12 Octopus.Server.exe database --upgrade\n")
    state = database_state(node)
    assert (state.reachable, state.identity, state.db_owner) == (True, "EX\\octo", True)
    assert (state.server, state.database) == ("sql.example.com", "Octopus")
    assert (state.server_version, state.schema_version) == ("15.0.4", "2025.2.13071")
    assert [(n.name, n.last_seen) for n in state.nodes] == [
        ("OCTO1", "2025-05-02T10:00:00"),
        ("OCTO2", ""),
    ]
    assert state.migrator_running


def test_an_account_without_rights_is_no_owner(node: Node) -> None:
    rows(node, owner=0)
    assert not database_state(node).db_owner


def test_the_connection_is_made_of_what_both_drivers_know(node: Node) -> None:
    rows(node)
    database_state(node)
    parts = node.read("connection-string").lower().replace("'", '"')
    assert "data source=sql.example.com" in parts
    assert 'password="a;b"' in parts
    assert "encrypt=true" in parts
    assert "trustservercertificate=true" in parts
    assert "trust server certificate" not in parts
    assert "pool blocking" not in parts


def test_a_database_out_of_reach_is_an_answer_too(node: Node) -> None:
    node.write("sql-down", "yes")
    state = database_state(node)
    assert (state.reachable, state.history, state.identity) == (False, (), "example\\admin")
    assert "network-related" in state.problem


@pytest.mark.parametrize(
    ("path", "separator"), [("\\\\backup\\octo's\\", "\\"), ("/var/opt/backup", "/")]
)
def test_backup_is_made_and_verified(node: Node, path: str, separator: str) -> None:
    text = "Server=s;Database=Octo]'pus/1"
    node.configure(**{"Octopus.Storage.ExternalDatabaseConnectionString": text})
    job = node.job("b", "backup", **INSTANCE, path=path)
    result = job["result"]
    assert (job["exit_code"], result["problem"], result["verified"]) == (0, "", True)
    name = re.escape(path.rstrip("\\/") + separator + "Octo]'pus_1-") + r"\d{8}-\d{6}\.bak"
    assert re.fullmatch(name, result["file"])
    assert (result["database"], result["server"], result["size"]) == ("Octo]'pus/1", "s", None)
    assert result["started"] <= result["finished"]
    file = result["file"].replace("'", "''")
    assert node.read("statements").splitlines() == [
        f"BACKUP DATABASE [Octo]]'pus/1] TO DISK = N'{file}'"
        " WITH COPY_ONLY, CHECKSUM, FORMAT, STATS = 5",
        f"RESTORE VERIFYONLY FROM DISK = N'{file}' WITH CHECKSUM",
    ]
    assert "5 percent processed." in job["output"]


def test_a_backup_that_fails_is_not_verified(node: Node) -> None:
    node.write("sql-error", "There is not enough space on the disk.")
    job = node.job("b", "backup", **INSTANCE, path="/b")
    assert (job["exit_code"], job["result"]["verified"]) == (1, False)
    assert job["result"]["problem"] == "There is not enough space on the disk."
    assert node.read("statements").count("\n") == 1


def test_every_statement_is_transact_sql(node: Node, tmp_path: Path) -> None:
    checker = find_tsql_check()
    rows(node)
    database_state(node)
    node.job("b", "backup", **INSTANCE, path="\\\\b\\it's")
    sent = node.read("statements").splitlines()
    declared = re.findall(r"^\$Sql\w+ = ", AGENT.read_text(), re.MULTILINE)
    assert len(sent) == len(declared)
    file = tmp_path / "sent.sql"
    file.write_text("\nGO\n".join(sent))
    checked = subprocess.run(
        [checker, "--level", "130", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
