"""Runs tests against many versions of a script in one process, which keeps its PowerShell.

Starting pytest and a PowerShell costs seconds, most tests of the agent some tenths of one. So
``Worker`` is a pytest plugin in a process of its own: it collects the tests once, then runs those
it is asked for. ``Judge`` is the other end; it replaces a worker whose test does not end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[3]
#: What runs the agent in a real PowerShell. The check against Windows PowerShell 5.1 reads it only.
TESTS = (
    "tests/unit/test_agent_calls.py",
    "tests/unit/test_agent_jobs.py",
    "tests/unit/test_agent_guards.py",
    "tests/lab/test_contract.py",
)
_NOT_OF_THE_AGENT = "test_scripts_keep_to_windows_powershell_5"
_COLLECTING_SECONDS = 120.0
#: The limit of a test whose usual time is not known (seconds).
LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The test that noticed, "" where none did; seconds of each test that ran."""

    noticed: str
    seconds: dict[str, float]
    why: str = ""


class Worker:
    """The pytest plugin: takes lines of JSON ``{"tests": [...]}``, answers with a verdict each.

    ``{"fresh": true}`` ends the PowerShell processes first.
    """

    def __init__(self, script: Path, channel: socket.socket) -> None:
        self._script = script
        self._requests = channel.makefile("r", encoding="utf-8")
        self._answers = channel.makefile("w", encoding="utf-8")

    def pytest_configure(self, config: pytest.Config) -> None:
        """Puts the version to judge in its place, before a test module is imported."""
        import tests.lab.contract_support
        import tests.powershell_host

        if self._script.name == "prepare.ps1":
            tests.powershell_host.PREPARE = self._script
        else:
            tests.powershell_host.AGENT = self._script
            tests.lab.contract_support.AGENT = self._script

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self._answer({"tests": list(items)})
        for line in self._requests:
            request = json.loads(line)
            if request["fresh"]:
                session._setupstate.teardown_exact(None)
            self._answer(self._run(session, [items[name] for name in request["tests"]]))
        session._setupstate.teardown_exact(None)
        return True

    def _run(self, session: pytest.Session, items: Sequence[pytest.Item]) -> dict[str, Any]:
        seconds: dict[str, float] = {}
        for item in items:
            begun = time.monotonic()
            # Naming another item of its module as the next keeps the module's PowerShell.
            neighbour = next(i for i in session.items if i.parent is item.parent and i is not item)
            session._setupstate.teardown_exact(item)
            reports = runtestprotocol(item, log=False, nextitem=neighbour)
            seconds[item.nodeid] = time.monotonic() - begun
            failed = [report for report in reports if report.failed or report.skipped]
            if failed:
                why = str(failed[0].longrepr)[-600:]
                return {"noticed": item.nodeid, "seconds": seconds, "why": why}
        return {"noticed": "", "seconds": seconds, "why": ""}

    def _answer(self, told: dict[str, Any]) -> None:
        self._answers.write(json.dumps(told) + "\n")
        self._answers.flush()


class Judge:
    """Asks a worker process about versions of a script, given by name. A context manager."""

    def __init__(self, name: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self._script = self._folder / name
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        #: The ids of all tests, known once a worker has started.
        self.tests: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, text: str) -> None:
        """Starts the worker with a version of the script, unless one runs."""
        self._script.write_text(text, encoding="ascii")
        if self._process is None:
            self._start()

    def judge(
        self, text: str, tests: Sequence[str], limits: Mapping[str, float], *, fresh: bool = False
    ) -> Verdict:
        """Runs tests until one notices; one that takes longer than its limit (seconds) has.

        ``fresh`` begins with PowerShell processes that no other version has run in.
        """
        self.start(text)
        assert self._channel is not None
        seconds: dict[str, float] = {}
        # One by one, so that the limit is a test's own and the one that hangs is known.
        for test in tests:
            self._send({"tests": [test], "fresh": fresh})
            fresh = False
            told = self._receive(limits.get(test, LONGEST))
            if told is None:
                self._end()
                return Verdict(test, seconds, "it did not come to an end")
            seconds |= told["seconds"]
            if told["noticed"]:
                return Verdict(told["noticed"], seconds, told["why"])
        return Verdict("", seconds)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(self._script), str(theirs.fileno())]
        log = (self._folder / "worker.log").open("wb")
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        theirs.close()
        self._channel = ours
        told = self._receive(_COLLECTING_SECONDS)
        if told is None:
            said = (self._folder / "worker.log").read_text("utf-8", "replace")
            raise RuntimeError(f"the tests could not be collected:\n{said}")
        self.tests = [t for t in told["tests"] if _NOT_OF_THE_AGENT not in t]

    def _send(self, told: dict[str, Any]) -> None:
        assert self._channel is not None
        self._channel.sendall(json.dumps(told).encode() + b"\n")

    def _receive(self, limit: float) -> dict[str, Any] | None:
        """The next answer; None where none comes within the limit or the worker is gone."""
        assert self._channel is not None
        self._channel.settimeout(limit)
        received = b""
        try:
            while not received.endswith(b"\n"):
                data = self._channel.recv(1 << 20)
                if not data:
                    return None
                received += data
        except TimeoutError:
            return None
        told: dict[str, Any] = json.loads(received)
        return told

    def _end(self) -> None:
        if self._process is None or self._channel is None:
            return
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        for process_id in _with_descendants(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        self._process.wait()
        self._process = self._channel = None


def _with_descendants(process_id: int) -> list[int]:
    """A process and all that it started, also what began a session of its own."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
    found = [process_id]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def main() -> int:
    """The worker process: ``judging.py SCRIPT FD``."""
    sys.path.insert(0, str(ROOT))
    script, channel = Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    options = ("-p", "no:cacheprovider", "-p", "no:xdist", "-q")
    files = [file for file in TESTS if (ROOT / file).exists()]
    return int(pytest.main([*options, *files], plugins=[Worker(script, channel)]))


if __name__ == "__main__":
    sys.exit(main())
