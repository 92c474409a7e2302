"""Runs the tests on mutants: collected once, then one forked process for each mutant.

A mutant is put in by giving the live function the mutant's code, so what the tests run is the
mutant wherever the module was loaded from, and the files of the project are never touched. Tests
that start processes of their own see the unchanged code there. A mutant gets only the tests that
run its statement, fastest first, and is dead with the first that fails or lasts too long.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import pickle
import resource
import select
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any, Literal

import pytest

from scripts.mutation.make import Mutant

Verdict = Literal["killed", "timeout", "survived", "not run"]

#: A test on a mutant gets this many times what it needed, and these seconds in addition.
PATIENCE = (10.0, 5.0)
#: A mutant that fills the memory is stopped here.
MEMORY = 6 << 30


class CannotRun(Exception):
    """The tests cannot be run, or do not pass without any mutant."""


@dataclass
class Reach:
    """What a test did when nothing was mutated."""

    seconds: float = 0.0
    outcome: str = ""
    lines: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))


class Session:
    """A plugin for pytest that runs mutants where pytest would run the tests."""

    def __init__(
        self,
        root: Path,
        mutants: Sequence[Mutant],
        workers: int,
        progress: Callable[[int, int], None],
        unnoticed: Callable[[Mutant, str], None],
    ) -> None:
        self.root = root
        self.mutants = mutants
        self.workers = workers
        self.progress = progress
        self.unnoticed = unnoticed
        self.verdicts: dict[int, Verdict] = {}
        #: Names of the tests that killed, by mutant.
        self.killers: dict[int, str] = {}
        self.problem = ""
        self._failed = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            self.problem = "the tests cannot be collected"
            return True
        self._items = session.items
        reaches = self._baseline()
        bad = [
            f"{item.nodeid}: {reach.outcome}"
            for item, reach in zip(self._items, reaches, strict=True)
            if reach.outcome not in ("passed", "skipped")
        ]
        if bad:
            self.problem = "these fail without any mutant:\n" + "\n".join(bad)
            return True
        self.problem = other_copies(self.root, {mutant.file for mutant in self.mutants})
        if self.problem:
            return True
        self._live = live_functions()
        gc.collect()
        gc.freeze()  # so that a forked process does not copy what the collector touches
        self._run_all(reaches)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._failed:
            self._failed = f"{report.when}: {report.longreprtext[-600:]}"

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    # --- without any mutant ---

    def _baseline(self) -> list[Reach]:
        """Runs every test once, in a forked process, and notes which lines it runs."""
        into, out = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(into)
            _quiet()
            code = 1
            with contextlib.suppress(BaseException):
                reaches = self._measure()
                with os.fdopen(out, "wb") as pipe:
                    pickle.dump(reaches, pipe)
                code = 0
            os._exit(code)
        os.close(out)
        with os.fdopen(into, "rb") as pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        if not data:
            raise CannotRun("the tests ended the process that ran them")
        result: list[Reach] = pickle.loads(data)  # noqa: S301  # our own, through our own pipe
        return result

    def _measure(self) -> list[Reach]:
        files = {str(self.root / mutant.file): mutant.file for mutant in self.mutants}
        reaches = [Reach() for _ in self._items]
        current = Reach()

        def on_line(frame: FrameType, _: str, __: object) -> Any:
            # Of the test that runs now: a pool's thread may live longer than the test it began in.
            current.lines[files[frame.f_code.co_filename]].add(frame.f_lineno)
            return on_line

        def on_call(frame: FrameType, _: str, __: object) -> Any:
            return on_line if frame.f_code.co_filename in files else None

        for position, item in enumerate(self._items):
            current = reaches[position]
            self._failed = ""
            threading.settrace(on_call)
            sys.settrace(on_call)
            began = time.monotonic()
            try:
                self._run(item, self._items[position + 1] if item is not self._items[-1] else None)
            finally:
                sys.settrace(None)
                threading.settrace(None)
            current.seconds = time.monotonic() - began
            current.outcome = self._failed or "passed"
        return reaches

    # --- with one mutant each ---

    def _run_all(self, reaches: Sequence[Reach]) -> None:
        kills: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        running: dict[int, tuple[int, int]] = {}  # file descriptor -> mutant, process
        waiting = list(range(len(self.mutants)))
        while waiting or running:
            while waiting and len(running) < self.workers:
                number = waiting.pop(0)
                mutant = self.mutants[number]
                function = (mutant.file, mutant.function)
                tests = [
                    test
                    for test, reach in enumerate(reaches)
                    if not reach.lines.get(mutant.file, set()).isdisjoint(mutant.statement)
                ]
                if not tests:
                    self.verdicts[number] = "not run"
                    self.unnoticed(mutant, "no test runs it")
                    continue
                tests.sort(key=lambda t: (-kills[function][t], reaches[t].seconds))
                pipe, process = self._fork(mutant, tests, reaches)
                running[pipe] = (number, process)
            for pipe in select.select(list(running), [], [], 1.0)[0] if running else []:
                number, process = running.pop(pipe)
                with os.fdopen(pipe, "rb") as end:
                    said = end.read().decode()
                status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process, signal.SIGKILL)  # what its tests may have left behind
                self._note(number, status, said, kills)
                self.progress(len(self.verdicts), len(self.mutants))

    def _note(
        self, number: int, status: int, said: str, kills: dict[tuple[str, str], Counter[int]]
    ) -> None:
        mutant = self.mutants[number]
        *_, last = said.split() or [""]
        if status == 3 or not last:
            raise CannotRun(f"a mutant could not be put in:\n{mutant.diff}\n{said}")
        if status == 0:
            self.verdicts[number] = "survived"
            self.unnoticed(mutant, "survived")
            return
        self.verdicts[number] = "timeout" if status == -signal.SIGALRM else "killed"
        self.killers[number] = self._items[int(last)].nodeid
        kills[(mutant.file, mutant.function)][int(last)] += 1

    def _fork(self, mutant: Mutant, tests: list[int], reaches: Sequence[Reach]) -> tuple[int, int]:
        into, out = os.pipe()
        process = os.fork()
        if process:
            os.close(out)
            return into, process
        code = 1
        try:
            os.close(into)
            os.setsid()
            _quiet()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            try:
                put_in(mutant, self._live)
            except Exception as error:
                os.write(out, f"{type(error).__name__}: {error}".encode())
                os._exit(3)
            os.set_inheritable(out, False)
            self._failed = ""
            for position, test in enumerate(tests):
                os.write(out, f" {test}".encode())
                times, more = PATIENCE
                signal.setitimer(signal.ITIMER_REAL, reaches[test].seconds * times + more)
                following = tests[position + 1] if position + 1 < len(tests) else None
                self._run(self._items[test], None if following is None else self._items[following])
                if self._failed:
                    os._exit(1)
            code = 0
        finally:
            os._exit(code)


def _quiet() -> None:
    """Whatever tests print goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def other_copies(root: Path, files: set[str]) -> str:
    """Names modules that were loaded from elsewhere: no mutant of them would be seen."""
    said = []
    for file in sorted(files):
        name = file.removeprefix("plugins/").removesuffix(".py").replace("/", ".")
        loaded = getattr(sys.modules.get(name), "__file__", None)
        if loaded and Path(loaded) != root / file:
            said.append(f"{name} was loaded from {loaded}, not from {root / file}")
    return "\n".join(said)


def live_functions() -> dict[tuple[str, str, int], list[FunctionType]]:
    """Every function there is, by the file, name and line of its code, wrapped or not."""
    found: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType):
            code = thing.__code__
            found[(code.co_filename, code.co_qualname, code.co_firstlineno)].append(thing)
    return found


def put_in(mutant: Mutant, live: dict[tuple[str, str, int], list[FunctionType]]) -> None:
    """Gives the live function the mutant's code and defaults; an error where there is none."""
    place = (mutant.code.co_filename, mutant.function, mutant.first_line)
    if not live[place]:
        raise LookupError(f"no function is loaded from {place}")
    for function in live[place]:
        code = mutant.code
        if code.co_freevars != function.__code__.co_freevars:
            # The change took away the only use of ``super()``; the cell stays, unused.
            code = code.replace(co_freevars=function.__code__.co_freevars)
        function.__code__ = code
        put_in_defaults(function, mutant.defaults)


def put_in_defaults(function: FunctionType, defaults: dict[str, Any]) -> None:
    code, positional = function.__code__, list(function.__defaults__ or ())
    names = code.co_varnames[: code.co_argcount][code.co_argcount - len(positional) :]
    for name, value in defaults.items():
        if name in names:
            positional[names.index(name)] = value
        else:
            assert function.__kwdefaults__ is not None
            function.__kwdefaults__[name] = value
    if positional:
        function.__defaults__ = tuple(positional)


def run(
    root: Path,
    mutants: Sequence[Mutant],
    tests: Sequence[str],
    workers: int,
    progress: Callable[[int, int], None],
    unnoticed: Callable[[Mutant, str], None],
) -> Session:
    """The verdicts of the tests on the mutants. Raises CannotRun.

    ``unnoticed`` is given each mutant that no test noticed as it is found, and why.
    """
    session = Session(root, mutants, workers, progress, unnoticed)
    options = ["-s", "-p", "no:cacheprovider", "-p", "no:randomly", f"--rootdir={root}"]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*options, *tests], plugins=[session])
    if session.problem or len(session.verdicts) != len(mutants):
        raise CannotRun(session.problem or f"pytest ended with {code}:\n{output.getvalue()}")
    return session
