"""What both agents must answer alike: every operation and kind of job, good, bad and faulty."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from octotui_lab.hosts import WindowsHost
from tests.lab.contract_support import INSTALLED, TARGET, Call, Case, Do, RunJob, package_content

_PACKAGE = f"<octotui>/packages/Octopus.{TARGET}-x64.msi"
_STAGE = {
    "url": f"<site>/packages/{TARGET}.msi",
    "file_name": f"Octopus.{TARGET}-x64.msi",
    "sha256": f"<sha {TARGET}>",
    "size": None,
}
_INSTALL = {"path": _PACKAGE, "sha256": f"<sha {TARGET}>", "install_directory": "<install>"}
_VERSIONED = {**_INSTALL, "version": TARGET}
_PROVE = {"path": _PACKAGE, "sha256": f"<sha {TARGET}>", "signer": "same-as-installed"}
_INSTANCE = {"instance": "OctopusServer"}
_NOBODY = {"instance": "Nobody"}
_PATIENT, _HASTY = {"timeout": "<patience>"}, {"timeout": "<one second>"}

_FACTS = Call("facts")
_SERVICES = Call("services")
_PARK = Call("park")
_UNPARK = Call("unpark")
_STAGED = RunJob("stage", _STAGE, id="stage")
_STOPPED = RunJob("stop", _PATIENT, id="stop")
_INSTALLED = RunJob("msi-install", _INSTALL, id="install")
_UPGRADED = RunJob("database-upgrade", _INSTANCE, id="upgrade")


def _request(text: str) -> bytes:
    return base64.b64encode(text.encode()) + b"\n"


def _put(name: str, content: bytes) -> Do:
    """A file in the octotui folder."""

    def put(host: WindowsHost) -> None:
        file = host.octotui_directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        host.notice_staged()

    return Do(put)


#: As staging leaves it, for cases that are about what comes after.
_THERE = _put(f"packages/Octopus.{TARGET}-x64.msi", package_content(TARGET))


def _unregister(host: WindowsHost) -> None:
    instances = host.program_data / "Octopus" / "OctopusServer" / "Instances"
    for file in instances.iterdir():
        file.unlink()


def _add_fault(name: str) -> Callable[[WindowsHost], None]:
    """From then on the node has that fault, once."""

    def add(host: WindowsHost) -> None:
        host.world.add_fault(f"node1:{name},times=1")

    return add


def _unfinished_job(host: WindowsHost) -> None:
    """A job's folder as a restart of the host leaves it."""
    folder = host.octotui_directory / "jobs" / "gone"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text('{"kind": "stop", "parameters": {"timeout": 1}}')
    (folder / "process.json").write_text('{"process_id": 999999, "started": 1.5}')
    (folder / "output.txt").write_bytes("so far: \u00e4\n".encode())


def _status(job_id: str, offset: int = 0, wait: int = 0) -> Call:
    return Call("job-status", {"id": job_id, "offset": offset, "wait": wait})


def _start(**changes: Any) -> Call:
    good = {
        "id": "a.job",
        "kind": "stop",
        "parameters": _PATIENT,
        "run_as": {"kind": "system"},
    }
    return Call("job-start", {**good, **changes})


CASES = (
    # -- requests ----------------------------------------------------------------------------------
    Case("unknown operation", (Call("frobnicate"),)),
    Case("no operation", (Call(""),)),
    Case("empty request", (Call("facts", stdin=b""),)),
    Case("bad base64", (Call("facts", stdin=b"%%%\n"), Call("services", stdin=b"abc\n"))),
    Case("no JSON", (Call("facts", stdin=_request("{")),)),
    Case("no UTF-8", (Call("facts", stdin=base64.b64encode(b"\xff\xfe\xff")),)),
    Case("no object", (Call("facts", stdin=_request("[1]")),)),
    Case("no parameters", (Call("services", stdin=_request('{"run": ""}')),)),
    Case("parameters are a list", (Call("facts", stdin=_request('{"parameters": []}')),)),
    Case("a missing parameter", (Call("prove-file", {"path": "x", "sha256": "y"}),)),
    Case(
        "parameters of the wrong type",
        (
            Call("prove-file", {"path": 1, "sha256": "", "signer": ""}),
            Call("log", {"path": "x", "limit": "many"}),
            Call("log", {"path": "x", "limit": True}),
            Call("unstage", {"file_names": "a.msi"}),
            Call("unstage", {"file_names": [1]}),
            _start(parameters=[]),
            _start(run_as="system"),
            _start(kind=None),
        ),
    ),
    # -- looking -----------------------------------------------------------------------------------
    Case("facts", (_FACTS, _SERVICES)),
    Case("facts of a full disk", (_FACTS,), ("node1:disk-full",)),
    Case("facts of a pending reboot", (_FACTS,), ("node1:pending-reboot",)),
    Case("facts of a busy installer", (_FACTS,), ("node1:installer-busy",)),
    Case("facts of another version", (_FACTS,), ("node1:other-version",)),
    Case("facts without an instance", (Do(_unregister), _FACTS)),
    Case(
        "nothing installed",
        (
            _STOPPED,
            RunJob("msi-uninstall", {"product_code": f"<code {INSTALLED}>"}),
            _FACTS,
            _SERVICES,
            Call("prove-file", _PROVE),
        ),
    ),
    # -- files -------------------------------------------------------------------------------------
    Case("stage", (_STAGED, Call("prove-file", _PROVE), _STAGED)),
    Case("stage what is there", (_STAGED, RunJob("stage", _STAGE, id="stage-2"))),
    Case("stage with the right size", (RunJob("stage", {**_STAGE, "size": 1650}),)),
    Case("stage with another size", (RunJob("stage", {**_STAGE, "size": 7}),)),
    Case("stage with another hash", (RunJob("stage", {**_STAGE, "sha256": "00" * 32}),)),
    Case("stage outside", (RunJob("stage", {**_STAGE, "file_name": "../x.msi"}),)),
    Case("prove a missing file", (Call("prove-file", _PROVE),)),
    Case(
        "prove a tampered file",
        (_put(f"packages/Octopus.{TARGET}-x64.msi", b"other"), Call("prove-file", _PROVE)),
    ),
    Case(
        "prove by a signer",
        (
            _STAGED,
            Call("prove-file", {**_PROVE, "signer": "CN=Octopus Lab Publisher, O=Octopus Lab"}),
            Call("prove-file", {**_PROVE, "signer": "CN=Somebody"}),
            Call("prove-file", {**_PROVE, "sha256": f"<sha {INSTALLED}>"}),
            Call("prove-file", {**_PROVE, "sha256": "00"}),
        ),
    ),
    Case(
        "prove a file that is no package",
        (_put("a.txt", b"text"), Call("prove-file", {**_PROVE, "path": "<octotui>/a.txt"})),
    ),
    Case(
        "unstage",
        (
            _STAGED,
            Call("unstage", {"file_names": ["none.msi", f"Octopus.{TARGET}-x64.msi"]}),
            Call("prove-file", _PROVE),
            Call("unstage", {"file_names": []}),
        ),
    ),
    Case(
        "unstage outside",
        (
            Call("unstage", {"file_names": ["../agent.ps1"]}),
            Call("unstage", {"file_names": [".."]}),
            Call("unstage", {"file_names": [""]}),
        ),
    ),
    Case(
        "logs",
        (
            _put("a.log", "first\r\nl\u00e4st\r\n".encode()),
            _put("b.log", "\ufefffirst \u20ac".encode()),
            _put("c.log", "first \u20ac\r\n".encode("utf-16")),
            Call("log", {"path": "<octotui>/a.log", "limit": 65536}),
            Call("log", {"path": "<octotui>/a.log", "limit": 4}),
            Call("log", {"path": "<octotui>/b.log", "limit": 65536}),
            Call("log", {"path": "<octotui>/c.log", "limit": 65536}),
            Call("log", {"path": "<octotui>/c.log", "limit": 6}),
            Call("log", {"path": "<home>/Logs/OctopusServer.txt", "limit": 100}),
            Call("log", {"path": "<octotui>/none.log", "limit": 100}),
        ),
    ),
    Case(
        "logs elsewhere",
        (
            Call("log", {"path": "/etc/hostname", "limit": 10}),
            Call("log", {"path": "<octotui>/../x.log", "limit": 10}),
        ),
    ),
    # -- the node's own API ------------------------------------------------------------------------
    Case(
        "requests",
        (
            Call("request", {**_INSTANCE, "path": "/api", "api_key": "API-KEY"}),
            Call("request", {**_INSTANCE, "path": "api/teapot?a=1", "api_key": ""}),
            Call("request", {**_INSTANCE, "path": "/api/large", "api_key": ""}),
            Call("request", {**_NOBODY, "path": "/api", "api_key": ""}),
        ),
    ),
    Case(
        "a request that nothing answers",
        (
            Do(lambda host: host.world.set_listen_prefixes(host.name, ["http://127.0.0.1:9/"])),
            Call("request", {**_INSTANCE, "path": "/api", "api_key": "API-KEY"}),
        ),
    ),
    # -- parking -----------------------------------------------------------------------------------
    Case("park and unpark", (_PARK, _SERVICES, _FACTS, _UNPARK, _SERVICES, _FACTS)),
    Case("park twice", (_PARK, _STOPPED, _PARK, _UNPARK, _UNPARK)),
    Case("unpark what is not parked", (_UNPARK, _SERVICES)),
    Case(
        "an automatic-delayed service",
        (
            Do(lambda host: host.set_start_type("OctopusDeploy", "automatic-delayed")),
            _PARK,
            _UNPARK,
            _SERVICES,
        ),
    ),
    Case(
        "a disabled watchdog stays disabled",
        (
            Do(lambda host: host.set_task_enabled("Octopus Watchdog OctopusServer", False)),
            _PARK,
            _UNPARK,
            _FACTS,
        ),
    ),
    *(
        Case(
            f"{fault} while it is parked",
            (_PARK, _SERVICES, _PARK, _UNPARK, _FACTS),
            (f"node1:{fault},times=1",),
        )
        for fault in ("start-type-stays", "watchdog-stays")
    ),
    *(
        Case(
            f"{fault} while it is unparked",
            (_PARK, Do(_add_fault(fault)), _UNPARK, _SERVICES, _PARK, _UNPARK, _FACTS),
        )
        for fault in ("start-type-stays", "watchdog-stays")
    ),
    # -- services ----------------------------------------------------------------------------------
    Case("stop", (_STOPPED,)),
    Case("stop and start", (_STOPPED, _SERVICES, RunJob("start", _PATIENT, id="start"), _SERVICES)),
    Case(
        "start what ran when parked",
        (_PARK, _STOPPED, RunJob("start", _PATIENT, id="start"), _UNPARK, _SERVICES),
    ),
    Case(
        "start leaves alone what did not run",
        (_STOPPED, _PARK, RunJob("start", _PATIENT, id="start"), _UNPARK, _SERVICES),
    ),
    Case("stop what is stopped", (_STOPPED, RunJob("stop", _PATIENT, id="again"))),
    Case("a stop that lies", (RunJob("stop", _HASTY),), ("node1:service-stop-lies",)),
    Case(
        "a start that fails",
        (_STOPPED, RunJob("start", _HASTY, id="start")),
        ("node1:service-will-not-start",),
    ),
    # -- MSI ---------------------------------------------------------------------------------------
    Case("install", (_STAGED, Call("prove-file", _PROVE), _PARK, _STOPPED, _INSTALLED, _FACTS)),
    *(
        Case(
            f"msiexec ends with {code}",
            (_THERE, _INSTALLED, _SERVICES),
            (f"node1:msi-exit={code}",),
        )
        for code in (1602, 1603, 1618, 1620, 1625, 1638, 1641, 3010)
    ),
    Case("install incompletely", (_THERE, _INSTALLED), ("node1:msi-incomplete",)),
    Case(
        "mend an incomplete installation",
        (
            _THERE,
            RunJob("msi-install", _VERSIONED, id="install"),
            RunJob("msi-install", _INSTALL, id="maintained"),
            RunJob("msi-install", _VERSIONED, id="mended"),
        ),
        ("node1:msi-incomplete,times=1",),
    ),
    Case(
        "install a version that is no text",
        (_THERE, RunJob("msi-install", {**_INSTALL, "version": 7}, id="install")),
    ),
    Case("install a missing file", (_INSTALLED,)),
    Case(
        "install a tampered file",
        (_put(f"packages/Octopus.{TARGET}-x64.msi", b"other"), _INSTALLED),
    ),
    Case(
        "install an older version",
        (
            _put("packages/old.msi", package_content(INSTALLED)),
            RunJob(
                "msi-install",
                {
                    "path": "<octotui>/packages/old.msi",
                    "sha256": f"<sha {INSTALLED}>",
                    "install_directory": "<install>",
                },
            ),
        ),
        ("node1:other-version",),
    ),
    Case(
        "the installer's log",
        (_THERE, _INSTALLED, Call("log", {"path": "<octotui>/jobs/install/msi.log", "limit": 100})),
    ),
    Case(
        "uninstall",
        (_STOPPED, RunJob("msi-uninstall", {"product_code": f"<code {INSTALLED}>"}), _SERVICES),
    ),
    Case("uninstall what is not there", (RunJob("msi-uninstall", {"product_code": "{0}"}),)),
    # -- database ----------------------------------------------------------------------------------
    Case("database state", (RunJob("database-state", _INSTANCE),)),
    Case(
        "database state as an account",
        (
            RunJob(
                "database-state",
                _INSTANCE,
                run_as={"kind": "account", "username": "OCTOLAB\\svc", "password": "secret"},
            ),
            RunJob(
                "database-state",
                _INSTANCE,
                id="gmsa",
                run_as={"kind": "gmsa", "username": "OCTOLAB\\octo$"},
            ),
        ),
    ),
    Case("database state of nobody", (RunJob("database-state", _NOBODY),)),
    Case(
        "database state without rights",
        (RunJob("database-state", _INSTANCE),),
        ("node1:no-database-rights",),
    ),
    Case("database state of none", (RunJob("database-state", _INSTANCE),), ("database:down",)),
    Case(
        "database upgrade",
        (
            _THERE,
            _INSTALLED,
            _UPGRADED,
            RunJob("database-state", _INSTANCE, id="state"),
        ),
    ),
    Case(
        "database upgrade that fails",
        (_THERE, _INSTALLED, _UPGRADED),
        ("database:upgrade-fails",),
    ),
    Case("database upgrade of nobody", (RunJob("database-upgrade", _NOBODY),)),
    Case(
        "backup",
        (RunJob("backup", {**_INSTANCE, "path": "\\\\backup\\octopus"}),),
    ),
    Case(
        "backup with an apostrophe",
        (RunJob("backup", {**_INSTANCE, "path": "\\\\backup\\o'clock"}),),
    ),
    Case(
        "backup that fails",
        (RunJob("backup", {**_INSTANCE, "path": "\\\\backup\\octopus"}),),
        ("database:backup-fails",),
    ),
    Case(
        "backup without rights",
        (RunJob("backup", {**_INSTANCE, "path": "\\\\backup\\octopus"}),),
        ("node1:no-database-rights",),
    ),
    Case("backup of nobody", (RunJob("backup", {**_NOBODY, "path": "x"}),)),
    # -- jobs --------------------------------------------------------------------------------------
    Case(
        "jobs that cannot be",
        (
            _start(kind="frobnicate"),
            _start(id="Upper"),
            _start(id="../up"),
            _start(id=""),
            _start(id="a" * 122),
            _start(run_as={"kind": "nobody"}),
            _start(run_as={"kind": "account", "username": "x"}),
            _start(run_as={"kind": "gmsa"}),
        ),
    ),
    Case("a job never started", (_status("never"), _status("never", 5, 1))),
    Case("a job's bad id", (_status("../x"),)),
    Case(
        "a job started twice",
        (
            _STAGED,
            Call(
                "job-start",
                {
                    "id": "stage",
                    "kind": "stage",
                    "parameters": _STAGE,
                    "run_as": {"kind": "system"},
                },
            ),
            _start(id="stage", kind="stop"),
            _status("stage"),
            _status("stage", 100000),
        ),
    ),
    Case(
        "jobs with bad parameters",
        (
            RunJob("stop", {}, id="a"),
            RunJob("stop", {"timeout": "long"}, id="b"),
            RunJob("stage", {"url": "<site>"}, id="c"),
            RunJob("msi-install", {}, id="d"),
            RunJob("backup", {"instance": 7}, id="e"),
        ),
    ),
    Case("a job that was lost", (Do(_unfinished_job), _status("gone"), _status("gone", 4))),
)
