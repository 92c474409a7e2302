"""Two equal worlds, one for the Python agent and one for agent.ps1: what the contract test needs.

A case is a list of steps. Each side carries them out on a fresh world of one node and answers with
JSON values, in which only times, process ids and the node's own folder are made equal.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

import octotui.windows
from octotui_lab import agent
from octotui_lab.catalogue import Catalogue, LabPackage
from octotui_lab.clock import ScaledClock
from octotui_lab.control import control_application
from octotui_lab.hosts import WindowsHost
from octotui_lab.model.state import Durations
from octotui_lab.powershell.engine import PowerShellEngine
from octotui_lab.powershell.node import windows_program
from octotui_lab.waiting import Waiter
from octotui_lab.world import World
from tests.lab.powershell_support import Command

#: The file that octotui uploads.
AGENT = Path(octotui.windows.__file__).with_name("agent.ps1")
NODE = "OCTO1"
USER = "OCTOLAB\\admin"
SPEED = 600.0
INSTALLED, TARGET = "2025.2.13071", "2025.3.14287"


def package_content(version: str) -> bytes:
    """A package's bytes, which only their hash makes one."""
    return f"The package of {version}\n".encode() * 50


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


CATALOGUE = Catalogue(
    LabPackage(
        version=version,
        file_name=f"Octopus.{version}-x64.msi",
        sha256=_sha256(package_content(version)),
        size=len(package_content(version)),
        product_code=f"{{00000000-0000-0000-0000-{number:012d}}}",
        released="2025-01-01",
    )
    for number, version in enumerate((INSTALLED, TARGET), 1)
)


#: What would come sooner for the slower of two sides: a watchdog that starts what is stopped, and
#: the end of a process that will not serve while its service counts as running for a moment.
_DURATIONS = Durations(watchdog_interval=1e9, failing_process=0.01)

#: Time limits of jobs, in seconds of real time.
_SECONDS = {"<one second>": 1, "<patience>": 5}


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with parameters; ``stdin`` replaces the whole request."""

    operation: str
    parameters: Mapping[str, Any] | None = None
    stdin: bytes | None = None


@dataclass(frozen=True, slots=True)
class RunJob:
    """A job from its start to its end; answers how it ended, with all of its output."""

    kind: str
    parameters: Mapping[str, Any]
    id: str = "run-1.step.1"
    run_as: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """Something that happens to the node from outside; answers nothing."""

    what: Callable[[WindowsHost], None]


Step = Call | RunJob | Do


@dataclass(frozen=True, slots=True)
class Case:
    """``faults`` are the world's from the beginning."""

    name: str
    steps: tuple[Step, ...]
    faults: tuple[str, ...] = ()


class Side(Protocol):
    """One way of answering."""

    #: What a job's time limit must be to end after a second of real time: the Python agent's time
    #: passes with the world's.
    one_second: float

    async def answer(self, operation: str, stdin: bytes) -> str: ...


class PythonSide:
    """The lab's own agent in Python."""

    one_second = SPEED

    def __init__(self, host: WindowsHost) -> None:
        self._host = host

    async def answer(self, operation: str, stdin: bytes) -> str:
        return await agent.answer(self._host, operation, stdin, USER)


class PowerShellSide:
    """The file that octotui uploads, in the engine."""

    one_second = 1.0

    def __init__(self, host: WindowsHost, engine: PowerShellEngine) -> None:
        self._engine = engine
        self._file = host.octotui_directory / "agent.ps1"

    async def answer(self, operation: str, stdin: bytes) -> str:
        command = Command(
            "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass"
            f' -File "{self._file}" {operation}',
            stdin,
            USER,
        )
        exit_code = await self._engine.execute(command)
        assert exit_code == 0, f"exit code {exit_code}: {command.stderr.decode()}"
        assert not command.stderr, command.stderr.decode()
        return command.stdout.decode("ascii")


@dataclass
class Bench:
    """What both sides share: the site that packages come from, and the engine with its control."""

    site: str
    engine: PowerShellEngine
    hosts: dict[str, WindowsHost]
    python_root: Path
    powershell_root: Path
    #: Requests that the site got, for the node's own REST API.
    asked: list[str]
    #: What Python answered to each case: the same however often agent.ps1 is asked.
    known: dict[str, list[Any]] = field(default_factory=dict)

    async def run(self, case: Case, script: Path | None = None) -> list[Any]:
        """The answers of one side: agent.ps1's where a ``script`` is given, else Python's."""
        root = self.powershell_root if script else self.python_root
        shutil.rmtree(root / NODE / "ProgramData", ignore_errors=True)
        world = World.create(
            1,
            clock=ScaledClock(SPEED),
            faults=case.faults,
            root=str(root),
            catalogue=CATALOGUE,
            durations=_DURATIONS,
        )
        world.set_listen_prefixes(NODE, [f"{self.site}/octopus/"])
        host = WindowsHost(
            world, NODE, waiter=Waiter(world.schedule), server_program=windows_program()
        )
        host.octotui_directory.mkdir(parents=True)
        side: Side = PythonSide(host)
        if script:
            self.hosts[NODE] = host
            shutil.copyfile(script, host.octotui_directory / "agent.ps1")
            side = PowerShellSide(host, self.engine)
        try:
            answers = [await self._step(host, side, step) for step in case.steps]
            answers.append(_what_happened(world))
            return [normal(answer, host) for answer in answers if answer is not None]
        finally:
            await host.close()

    async def _step(self, host: WindowsHost, side: Side, step: Step) -> Any:
        if isinstance(step, Do):
            step.what(host)
            return None
        if isinstance(step, RunJob):
            return await self._job(host, side, step)
        if step.stdin is not None:
            return _parsed(await side.answer(step.operation, step.stdin))
        return await self._call(host, side, step.operation, step.parameters or {})

    async def _call(
        self, host: WindowsHost, side: Side, operation: str, parameters: Mapping[str, Any]
    ) -> Any:
        request = {"run": "run-1", "parameters": self._filled(parameters, host, side)}
        stdin = base64.b64encode(json.dumps(request).encode()) + b"\n"
        return _parsed(await side.answer(operation, stdin))

    async def _job(self, host: WindowsHost, side: Side, step: RunJob) -> Any:
        start = {
            "id": step.id,
            "kind": step.kind,
            "parameters": step.parameters,
            "run_as": step.run_as or {"kind": "system"},
        }
        told = await self._call(host, side, "job-start", start)
        if not told["ok"]:
            return told
        output, offset = "", 0
        while True:
            status = {"id": step.id, "offset": offset, "wait": 30}
            told = await self._call(host, side, "job-status", status)
            assert told["ok"], told
            output, offset = output + told["result"]["output"], told["result"]["next_offset"]
            if told["result"]["state"] != "running":
                told["result"] |= {"output": output.replace("\r\n", "\n"), "next_offset": 0}
                return told

    def _filled(self, value: Any, host: WindowsHost, side: Side) -> Any:
        """Parameters with what only node, bench or side knows: ``<octotui>``, ``<site>``, ..."""
        if isinstance(value, Mapping):
            return {key: self._filled(item, host, side) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._filled(item, host, side) for item in value]
        if not isinstance(value, str):
            return value
        if value in _SECONDS:
            return side.one_second * _SECONDS[value]
        for name, text in {
            "<octotui>": str(host.octotui_directory),
            "<install>": str(host.install_directory),
            "<home>": str(host.home),
            "<site>": self.site,
            **{f"<sha {p.version}>": p.sha256 for p in CATALOGUE.packages},
            **{f"<code {p.version}>": p.product_code for p in CATALOGUE.packages},
        }.items():
            value = value.replace(name, text)
        return value


@asynccontextmanager
async def open_bench(pwsh: Path, folder: Path) -> AsyncIterator[Bench]:
    """Servers and engine; ``folder`` takes the nodes' files."""
    hosts: dict[str, WindowsHost] = {}
    asked: list[str] = []
    async with (
        _serve(_site(asked)) as site,
        _serve(control_application(None, hosts, lambda: None)) as control,  # type: ignore[arg-type]
        PowerShellEngine(pwsh, folder / "powershell" / NODE, control, NODE) as engine,
    ):
        yield Bench(site, engine, hosts, folder / "python", folder / "powershell", asked)


@asynccontextmanager
async def _serve(application: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _site(asked: list[str]) -> web.Application:
    async def package(request: web.Request) -> web.Response:
        return web.Response(body=package_content(request.match_info["version"]))

    async def octopus(request: web.Request) -> web.Response:
        asked.append(f"{request.path_qs} {request.headers.get('X-Octopus-ApiKey', '')}")
        if request.path.endswith("/teapot"):
            return web.Response(status=418, text="draining")
        if request.path.endswith("/large"):
            return web.Response(text="\u00e4" * 70000)
        return web.json_response({"Version": INSTALLED, "Name": "\u00e4\u20ac"})

    application = web.Application()
    application.router.add_get("/packages/{version}.msi", package)
    application.router.add_get("/octopus/{path:.*}", octopus)
    return application


def _what_happened(world: World) -> Any:
    """The ground truth, without what comes by itself some time after it was asked for."""
    truth = world.truth()
    return {
        "actions": [
            {"action": action["action"], "detail": action["detail"]}
            for action in truth["actions"]
            if action["action"] != "serving"
        ],
        "violations": [[found["rule"], found["detail"]] for found in truth["violations"]],
        "database": truth["database"],
    }


def _parsed(printed: str) -> Any:
    lines = printed.splitlines()
    begin, end = lines.index("<<<octotui-answer"), lines.index("octotui-answer>>>")
    assert end == begin + 2, printed
    return json.loads(lines[begin + 1])


_TIMES = frozenset(
    {"time", "boot_time", "started", "finished", "installed", "last_seen", "seconds"}
)
_LOG_LINE = re.compile(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{4}\s+\d+\s+\d+")
_BACKUP_STAMP = re.compile(r"-\d{8}-\d{6}\.bak")


def normal(value: Any, host: WindowsHost, key: str = "") -> Any:
    """The value with times, process ids and the node's folder replaced."""
    if isinstance(value, dict):
        return {name: normal(item, host, name) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(item, host, "argument" if key == "arguments" else "") for item in value]
    if key in _TIMES:
        assert value, f"{key} is {value!r}"
        return f"<{type(value).__name__.replace('int', 'float')}>"
    if key == "process_id":
        return "<id>" if value else value
    if isinstance(value, str):
        value = value.replace(str(host.root), "<node>")
        value = _LOG_LINE.sub("<when>", value)
        # One agent's world sees the command line as written, the other's as a program is given it.
        value = value.replace('"', "") if key == "argument" else value
        return _BACKUP_STAMP.sub("-<when>.bak", value)
    return value


async def answers_of_both(bench: Bench, case: Case, script: Path) -> tuple[list[Any], list[Any]]:
    """Python's answers and agent.ps1's."""
    async with asyncio.timeout(60):
        if case.name not in bench.known:
            bench.known[case.name] = await bench.run(case)
        return bench.known[case.name], await bench.run(case, script)


def differences(python: Any, powershell: Any, path: str = "") -> list[str]:
    """Where the two differ, one line each."""
    if isinstance(python, dict) and isinstance(powershell, dict):
        names = sorted(python.keys() | powershell.keys())
        missing = object()
        return [
            line
            for name in names
            for line in differences(
                python.get(name, missing), powershell.get(name, missing), f"{path}.{name}"
            )
        ]
    both_lists = isinstance(python, list) and isinstance(powershell, list)
    if both_lists and len(python) == len(powershell):
        return [
            line
            for index, pair in enumerate(zip(python, powershell, strict=True))
            for line in differences(*pair, f"{path}[{index}]")
        ]
    if type(python) is type(powershell) and python == powershell:
        return []
    return [f"{path}: Python {python!r}, PowerShell {powershell!r}"]
