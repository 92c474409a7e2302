"""Runs the agent in a real PowerShell, in a small make-believe Windows made of files.

One PowerShell process serves many tests: a call in it costs some ten milliseconds. Windows' own
cmdlets are functions in ``windows_functions.ps1``, its programs shell scripts below
``Windows/System32``; both look at the files of ``world``, which the tests write and read.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
AGENT = REPOSITORY / "octotui" / "windows" / "agent.ps1"
PREPARE = REPOSITORY / "octotui" / "windows" / "prepare.ps1"
_FUNCTIONS = Path(__file__).with_name("windows_functions.ps1")

_PROGRAMS = {
    "sc.exe": """
        case "$3 $4" in
          "start= auto") word=automatic ;; "start= delayed-auto") word=automatic-delayed ;;
          "start= demand") word=manual ;; "start= disabled") word=disabled ;; *) exit 87 ;;
        esac
        [ -d "$WORLD/services/$2" ] || exit 36
        [ -e "$WORLD/sc-denies" ] && exit 5
        [ -e "$WORLD/sc-fails" ] && { echo "[SC] ChangeServiceConfig FAILED"; exit 42; }
        [ -e "$WORLD/sc-lies" ] && exit 0
        printf %s "$word" > "$WORLD/services/$2/start_type"
    """,
    "whoami.exe": """
        printf '"example\\\\admin","S-1-5-21-1-2-3-500"\\r\\n'
        printf '"BUILTIN\\\\Administrators","Alias","S-1-5-32-544","Group owner"\\r\\n'
        [ -e "$WORLD/not-elevated" ] || printf '"Label","Label","S-1-16-12288",""\\r\\n'
    """,
    "icacls.exe": """
        echo "$@" >> "$WORLD/icacls"
        [ -e "$WORLD/plant" ] && : > "$1/$(cat "$WORLD/plant")planted.ps1"
        [ -e "$WORLD/not-elevated" ] && exit 5
        case "$2" in
          /inheritance*) printf 'O:BAG:DUD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)%s' \
            "$(cat "$WORLD/others" 2>/dev/null)" > "$WORLD/sddl" ;;
        esac
    """,
    "msiexec.exe": """
        for argument in "$@"; do printf '%s\\n' "$argument"; done > "$WORLD/msiexec"
        [ -e "$WORLD/attacker" ] && flock --nonblock --exclusive "$2" sh -c 'echo evil > "$0"' "$2"
        [ "$1" = /i ] && cp "$2" "$WORLD/installed"
        [ -e "$WORLD/msi-log" ] && cp "$WORLD/msi-log" "$6"
        [ -e "$WORLD/msi-replaces-version" ] && printf %s "$(cat "$WORLD/msi-replaces-version")" \\
          > "$WORLD/version"
        exit "$(cat "$WORLD/msi-exit-code" 2>/dev/null || echo 0)"
    """,
}

_SERVER = """
    echo "$@" >> "$WORLD/octopus-calls"
    instance="OctopusServer"
    for argument in "$@"; do
      case "$argument" in --instance=*) instance="${argument#*=}" ;; esac
    done
    for service in "$WORLD"/services/*; do
      [ "$(cat "$service/instance")" = "$instance" ] && break
    done
    case "$1 $2" in
      show-configuration*) cat "$WORLD/configuration" ;;
      "service --stop") [ -e "$WORLD/stop-lies" ] || printf stopped > "$service/state" ;;
      "service --start") [ -e "$WORLD/start-fails" ] || printf running > "$service/state" ;;
      "database --upgrade")
        echo "connecting with Password=hunter2;"; echo "to standard error" >&2
        printf 'na\\303\\257ve\\n'
        exit "$(cat "$WORLD/database-exit-code" 2>/dev/null || echo 0)" ;;
      *) exit 2 ;;
    esac
"""


def find_powershell() -> Path:
    """The PowerShell of OCTOTUI_PWSH, else of PATH; skips the test where there is none."""
    named = os.environ.get("OCTOTUI_PWSH")
    found = named or shutil.which("pwsh")
    if not found:
        pytest.skip("no PowerShell: OCTOTUI_PWSH is not set and pwsh is not on PATH")
    if not Path(found).is_file():
        pytest.fail(f"OCTOTUI_PWSH names {named}, which is not a file")
    return Path(found)


def find_tsql_check() -> Path:
    """The T-SQL parser of OCTOTUI_TSQL_CHECK, else beside OCTOTUI_PWSH; skips without it."""
    named = os.environ.get("OCTOTUI_TSQL_CHECK")
    beside = Path(os.environ.get("OCTOTUI_PWSH", "")).with_name("tsql-check")
    found = Path(named) if named else beside
    if not found.is_file():
        pytest.skip("no T-SQL parser: OCTOTUI_TSQL_CHECK is not set, none beside OCTOTUI_PWSH")
    return found


@dataclass(frozen=True)
class Answer:
    """What a call printed, and the answer between the markers."""

    stdout: str
    answer: dict[str, Any]

    @property
    def result(self) -> Any:
        assert self.answer["ok"], self.answer
        return self.answer["result"]

    @property
    def error(self) -> dict[str, Any]:
        assert not self.answer["ok"], self.answer
        error: dict[str, Any] = self.answer["error"]
        return error


class Node:
    """A make-believe node: files below ``root``, and the agent that looks at them."""

    def __init__(self, root: Path, pwsh: Path) -> None:
        self.root = root
        self.pwsh = pwsh
        self.functions = _FUNCTIONS
        self.world = root / "world"
        self.program_data = root / "ProgramData"
        self.octotui = self.program_data / "octotui"
        self.install_directory = root / "Program Files" / "Octopus"
        self.registry = root / "registry.json"
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(root),
            "WORLD": str(self.world),
            "ProgramData": str(self.program_data),
            "SystemRoot": str(root / "Windows"),
            "COMPUTERNAME": "OCTO1",
            "PWSH_REGISTRY_JSON": str(self.registry),
            "AGENT": str(AGENT),
            "PWSH": str(pwsh),
        }
        self.reset()
        self._process = subprocess.Popen(
            [pwsh, "-NoProfile", "-NonInteractive", "-File", _FUNCTIONS, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=self.environment,
        )

    def reset(self) -> None:
        """A node with one running instance, as it was found."""
        for folder in (self.world, self.program_data, self.install_directory):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self._programs()
        instances = self.program_data / "Octopus" / "OctopusServer" / "Instances"
        instances.mkdir(parents=True)
        config = {"Name": "OctopusServer", "ConfigurationFilePath": str(self.root / "x.config")}
        (instances / "OctopusServer.config").write_text(json.dumps(config))
        self.service("OctopusDeploy", "OctopusServer")
        self.task("Octopus Watchdog OctopusServer", enabled=True)
        self.write("version", "2025.2.13071.0")
        self.write("signer", "CN=Octopus Lab Publisher, O=Octopus Lab")
        self.configure()
        self.set_registry()

    def _programs(self) -> None:
        system = self.root / "Windows" / "System32"
        system.mkdir(parents=True, exist_ok=True)
        programs = {system / name: text for name, text in _PROGRAMS.items()}
        programs[self.install_directory / "Octopus.Server.exe"] = _SERVER
        for file, text in programs.items():
            file.write_text(f"#!/bin/sh\n{text}")
            file.chmod(0o755)

    def write(self, name: str, content: str | bytes = "") -> None:
        """A file of the world."""
        data = content.encode() if isinstance(content, str) else content
        file = self.world / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def read(self, name: str) -> str:
        return (self.world / name).read_text()

    def service(
        self, name: str, instance: str, state: str = "running", start_type: str = "automatic"
    ) -> None:
        for field, value in {
            "instance": instance,
            "state": state,
            "start_type": start_type,
        }.items():
            self.write(f"services/{name}/{field}", value)

    def task(self, name: str, *, enabled: bool) -> None:
        self.write(f"tasks/{name}", str(enabled).lower())

    def configure(self, **settings: str) -> None:
        """What show-configuration prints, log lines first."""
        values = {
            "Octopus.Home": str(self.root / "home"),
            "Octopus.Server.NodeName": "OCTO1",
            "Octopus.Storage.ExternalDatabaseConnectionString": (
                "Server=sql.example.com;Database=Octopus;Trust Server Certificate=True;"
                "User ID=octo;Password='a;b';Encrypt=Mandatory;Pool Blocking Period=Auto"
            ),
            "Octopus.WebPortal.ListenPrefixes": "http://+:1/,https://octopus.example.com/",
        } | settings
        text = "INFO using instance OctopusServer\n" + json.dumps(values, indent=2)
        self.write("configuration", text)

    def set_registry(self, *, installed: bool = True, **marks: bool) -> None:
        """``marks``: pending_reboot."""
        machine: dict[str, Any] = {"keys": {"SOFTWARE": {"keys": {}}, "SYSTEM": {"keys": {}}}}

        def put(path: str, **values: object) -> None:
            node = machine
            for part in path.split("\\"):
                node = node.setdefault("keys", {}).setdefault(part, {})
            node.setdefault("values", {}).update(
                {name: {"type": "String", "data": data} for name, data in values.items()}
            )

        if installed:
            put("SOFTWARE\\Octopus\\OctopusServer", InstallLocation=f"{self.install_directory}/")
        uninstall = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall"
        put(f"{uninstall}\\Other", DisplayName="Other")
        put(f"{uninstall}\\Nameless")
        put(
            f"{uninstall}\\{{14DB4D69-F879-4444-9752-106160B64C40}}",
            DisplayName="Octopus Deploy Server",
        )
        if marks.get("pending_reboot"):
            put(
                "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing"
                "\\RebootPending"
            )
        tree = {"HKEY_LOCAL_MACHINE": machine, "HKEY_CURRENT_USER": {"keys": {}}}
        self.registry.write_text(json.dumps(tree))

    def call(
        self, operation: str, *, run: str = "", script: Path | None = None, **parameters: Any
    ) -> Answer:
        """One call of the agent, as octotui makes it; ``script`` is another than ours."""
        request = json.dumps({"run": run, "parameters": parameters})
        line = base64.b64encode(request.encode()).decode()
        return self.call_raw(operation, line, script=script)

    def call_raw(self, operation: str, *lines: str, script: Path | None = None) -> Answer:
        file = str(script or AGENT)
        return self._run({"script": file, "arguments": [operation], "lines": lines})

    def prepare(self) -> Answer:
        return self._run({"script": str(PREPARE), "arguments": [], "lines": []})

    def job(self, job_id: str, kind: str, **parameters: Any) -> dict[str, Any]:
        """Starts a job as SYSTEM and returns its last state."""
        started = self.call(
            "job-start",
            id=job_id,
            kind=kind,
            parameters=parameters,
            run_as={"kind": "system"},
        ).result
        while started["state"] == "running":
            started = self.call("job-status", id=job_id, offset=0, wait=10).result
        found: dict[str, Any] = started
        return found

    def wait_for_task(self, job_id: str) -> None:
        """Until a job that runs in a process of its own has done its last: removed its task."""
        unregistered = self.world / "unregistered"
        limit = time.monotonic() + 30
        while not (unregistered.exists() and f"{job_id}\n" in unregistered.read_text()):
            assert time.monotonic() < limit, f"the task of {job_id} is still there"
            time.sleep(0.02)

    def _run(self, request: dict[str, Any]) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the PowerShell of the tests has ended"
        told = json.loads(line)
        stdout = told["stdout"]
        assert told["exit"] == 0, stdout
        assert stdout.isascii(), stdout
        begin, end = "<<<octotui-answer\n", "\noctotui-answer>>>"
        assert begin in stdout, stdout
        assert end in stdout, stdout
        answer = stdout.partition(begin)[2].partition(end)[0]
        assert "\n" not in answer
        return Answer(stdout, json.loads(answer))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


@contextlib.contextmanager
def running_node(root: Path) -> Iterator[Node]:
    """A node below ``root`` with its PowerShell; skips the test where there is none."""
    node = Node(root, find_powershell())
    try:
        yield node
    finally:
        node.close()
