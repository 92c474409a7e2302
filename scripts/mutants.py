"""Changes the code in small ways and counts which changes the tests notice: ``make mutants``.

Mutmut makes the changes (mutants) and runs the tests that reach each of them. It works on a copy
outside the working tree. docs/testing.md says how to read what this prints.

Three things are ours. A string is changed only where it is an identifier: changed sentences would
drown the rest. Statements that are only a call, and ``raise``, are dropped: that is how a guard is
lost. Properties and context managers are changed too, which mutmut leaves out as it does every
decorated function.

Not changed: module-level constants, class bodies outside of methods, and functions with other
decorators (``@cache``, pydantic's validators).
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import libcst as cst

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"

#: Where packages lie in the repository. In the copy they lie side by side, under the names that
#: they are imported by: mutmut knows a mutant by its path.
PLUGINS = "plugins/"

#: What the tests read beside the packages.
BESIDE = ("profiles", "docs", "README.md", "Makefile", "LICENSE", "scripts")

#: Memory of one test process, in bytes: a mutant that fills a list for ever ends here.
MEMORY = 6 << 30


#: What mutmut's lines of progress begin with.
SPINNER = tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")


@dataclass(frozen=True)
class Group:
    """Sources that belong together, and the tests that should notice a change to them."""

    name: str
    #: Files and folders.
    sources: tuple[str, ...]
    #: Patterns of paths, resolved when the group is run; ``!`` takes away.
    tests: tuple[str, ...]
    #: Of a hundred mutants that are not equivalent, how many have to be killed.
    share: float

    def covers(self, file: str) -> bool:
        """Whether a file is one of the group's sources."""
        return any(file == source or file.startswith(f"{source}/") for source in self.sources)


#: Whole upgrades at the ports, and what tests parts alone. The simulation that speaks the real
#: protocols tells the same stories, too slowly for thousands of mutants.
ENGINE_TESTS = (
    "tests/simulation/test_guards_*.py",
    "tests/simulation/test_seeds.py",
    "tests/simulation/test_control*.py",
    "tests/simulation/test_faults_*.py",
    "tests/simulation/test_estimates.py",
    "tests/unit/test_upgrade*.py",
    "tests/unit/test_run*.py",
    "tests/unit/test_findings*.py",
)

GROUPS = (
    Group("upgrade", ("octotui/upgrade",), ENGINE_TESTS, 95),
    Group("run", ("octotui/run",), ENGINE_TESTS, 95),
    Group(
        "view",
        ("octotui/view.py",),
        (
            "tests/unit/test_view*.py",
            "tests/unit/test_node_times*.py",
            "tests/unit/test_cli_lines.py",
            "tests/tui/test_decision_and_words.py",
            "tests/tui/test_plan_text.py",
            "tests/tui/test_store.py",
        ),
        90,
    ),
    Group(
        "winrm",
        tuple(
            f"plugins/octotui_winrm/{name}.py"
            for name in ("call", "faults", "channel", "wire", "transport")
        ),
        ("tests/unit/test_winrm*.py", "tests/lab/test_winrm*.py"),
        90,
    ),
    Group("checks", ("plugins/octotui_checks",), ("tests/unit/test_checks*.py",), 90),
    Group(
        "secrets",
        (
            "octotui/profile/secrets.py",
            "octotui/profile/references.py",
            "octotui/report/mask.py",
            "octotui/api/secrets.py",
        ),
        (
            "tests/unit/test_profile*.py",
            "tests/unit/test_bundle*.py",
            "tests/unit/test_secrets*.py",
        ),
        90,
    ),
)


@dataclass(frozen=True)
class Mutant:
    """One change and what the tests made of it."""

    #: Mutmut's own name: good for one run only.
    name: str
    file: str
    function: str
    line: int
    before: str
    after: str
    #: killed, survived, or untested where no test reaches it.
    status: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same while other lines are edited."""
        return (self.file, self.function, self.before, self.after)

    def __str__(self) -> str:
        note = " (no test reaches it)" if self.status == "untested" else ""
        return "\n".join(
            [
                f"{self.file}:{self.line} {self.function}{note}",
                *(f"    - {line}" for line in self.before.splitlines()),
                *(f"    + {line}" for line in self.after.splitlines()),
            ]
        )


@dataclass(frozen=True)
class Equivalent:
    """A change that no test can notice, and why."""

    file: str
    function: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.file, self.function, self.before.strip(), self.after.strip())


@dataclass(frozen=True)
class Result:
    """What is printed of one group."""

    group: Group
    killed: int
    equivalent: int
    survivors: tuple[Mutant, ...]
    #: Entries of the file of equivalents that are wrong.
    errors: tuple[str, ...]

    @property
    def total(self) -> int:
        """All mutants that are not equivalent."""
        return self.killed + len(self.survivors)

    @property
    def percent(self) -> float:
        return 100 * self.killed / self.total if self.total else 100.0

    @property
    def passed(self) -> bool:
        return self.percent >= self.group.share and not self.errors

    def __str__(self) -> str:
        return (
            f"{self.group.name}: {self.total + self.equivalent} mutants: {self.killed} killed, "
            f"{len(self.survivors)} survived, {self.equivalent} equivalent: "
            f"{self.percent:.1f} % of {self.total}"
            + ("" if self.percent >= self.group.share else f", needs {self.group.share:g} %")
        )


def load_equivalents(path: Path = EQUIVALENT) -> list[Equivalent]:
    """Reads the mutants that are declared equivalent. Raises ValueError where an entry is wrong."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    entries = []
    for number, entry in enumerate(document.get("equivalent", []), start=1):
        if set(entry) != {"file", "function", "before", "after", "reason"}:
            raise ValueError(f"equivalent {number}: wants file, function, before, after, reason")
        if not entry["reason"].strip():
            raise ValueError(f"equivalent {number} ({entry['file']}): says no reason")
        entries.append(Equivalent(**entry))
    keys = Counter(entry.key for entry in entries)
    if twice := [key for key, count in keys.items() if count > 1]:
        raise ValueError(f"declared equivalent twice: {twice[0]}")
    return entries


def evaluate(
    group: Group, mutants: Sequence[Mutant], equivalents: Iterable[Equivalent], *, whole: bool
) -> Result:
    """Counts. Entries without a mutant are errors only where the ``whole`` group was run."""
    entries = {entry.key: entry for entry in equivalents if group.covers(entry.file)}
    survivors = [m for m in mutants if m.status != "killed"]
    known = {mutant.key for mutant in mutants}
    survived = {mutant.key for mutant in survivors}
    errors = []
    for key, entry in entries.items():
        if key not in known:
            if whole:
                errors.append(f"{entry.file} {entry.function}: no such mutant: {entry.after}")
        elif key not in survived:
            errors.append(f"{entry.file} {entry.function}: not equivalent, killed: {entry.after}")
    return Result(
        group=group,
        killed=len(mutants) - len(survivors),
        equivalent=sum(mutant.key in entries for mutant in survivors),
        survivors=tuple(mutant for mutant in survivors if mutant.key not in entries),
        errors=tuple(errors),
    )


def selected_tests(group: Group) -> list[str]:
    """The test files of a group, as paths of the repository."""
    chosen: set[str] = set()
    for pattern in group.tests:
        found = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern.removeprefix("!"))}
        chosen = chosen - found if pattern.startswith("!") else chosen | found
    return sorted(chosen)


def copied(file: str) -> str:
    """Where a file of the repository lies in the copy."""
    return file.removeprefix(PLUGINS)


def make_copy(group: Group, folder: Path) -> None:
    """Lays out a copy in which mutmut can work on one group."""
    ignore = shutil.ignore_patterns("__pycache__")
    packages = ["octotui", *(f"{PLUGINS}{p.name}" for p in (ROOT / PLUGINS).glob("octotui_*"))]
    for package in packages:
        shutil.copytree(ROOT / package, folder / copied(package), ignore=ignore)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignore)
    # Python remembers a folder on its path that is not there yet as one without modules.
    (folder / "mutants").mkdir()
    for name in BESIDE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy2(ROOT / name, folder / name)
    sources = [copied(source) for source in group.sources]
    settings = {
        "source_paths": [copied(package) for package in packages],
        "only_mutate": [s if s.endswith(".py") else f"{s}/*" for s in sources],
        "also_copy": list(BESIDE),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "--hypothesis-seed=0"],
        "pytest_add_cli_args_test_selection": selected_tests(group),
        # Seconds that a mutant may take: so many times what its tests took, and these more.
        "timeout_multiplier": 6.0,
        "timeout_constant": 10.0,
        "use_git_change_detection": False,
    }
    written = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (folder / "pyproject.toml").write_text(
        "\n".join([written, "[tool.mutmut]", *lines, ""]), encoding="utf-8"
    )


def run_group(group: Group, only: str | None, jobs: int) -> list[Mutant] | None:
    """Makes the mutants of a group and runs the tests; None where mutmut itself failed."""
    with tempfile.TemporaryDirectory(prefix="octotui-mutants-") as scratch:
        folder = Path(scratch)
        make_copy(group, folder)
        environment = {
            **os.environ,
            "OCTOTUI_SEEDS": "100",
            # Child processes of a test import the mutants, too.
            "PYTHONPATH": str(folder / "mutants"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, __file__, "--inside", "--jobs", str(jobs)]
        if only:
            command += ["--only", only]
        with (folder / "log").open("w") as log:
            done = subprocess.run(
                command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        if done.returncode:
            text = (folder / "log").read_text(encoding="utf-8", errors="replace")
            print("\n".join(line for line in text.splitlines() if line[:1] not in SPINNER)[-6000:])
            return None
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return [Mutant(**mutant) for mutant in found]


# What follows runs inside the copy.


def only_identifiers(operator: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterator[Any]]:
    """Mutmut's operator for strings, held to identifiers and to one change of each."""

    def changed(node: Any) -> Iterator[Any]:
        value = getattr(node, "value", None)
        if isinstance(value, str) and re.fullmatch(r"[a-zA-Z]*(['\"])[^\s'\"]+\1", value):
            yield from list(operator(node))[:1]

    return changed


def drop_call(node: cst.Expr) -> Iterator[cst.Pass]:
    """Drops a statement that is only a call: a guard, a journal entry, a change."""
    import libcst as cst

    value = node.value.expression if isinstance(node.value, cst.Await) else node.value
    if isinstance(value, cst.Call):
        yield cst.Pass(semicolon=node.semicolon)


def drop_raise(node: cst.Raise) -> Iterator[cst.Pass]:
    """Drops a ``raise``: what is refused is then done."""
    import libcst as cst

    yield cst.Pass(semicolon=node.semicolon)


#: Decorators whose functions are changed, too. They keep nothing from one call to the next.
DECORATORS = {"property", "contextmanager", "asynccontextmanager", "override"}


def is_reachable(function: cst.FunctionDef) -> bool:
    """Whether a function's only decorator is one that a mutant can be put behind."""
    import libcst as cst

    return len(function.decorators) == 1 and (
        isinstance(name := function.decorators[0].decorator, cst.Name) and name.value in DECORATORS
    )


def adapt_mutmut() -> None:
    """Changes mutmut's table of operators, and what it does with decorated functions.

    Its command line offers no way to do either. The table and the two functions are those of the
    version that constraints.txt names.
    """
    import libcst as cst
    from mutmut.mutation import file_mutation, mutators
    from mutmut.runners.harness import PytestRunner

    mutators.mutation_operators[:] = [  # type: ignore[index]
        *(
            (kind, only_identifiers(operator) if operator is mutators.operator_string else operator)
            for kind, operator in mutators.mutation_operators
        ),
        (cst.Expr, drop_call),
        (cst.Raise, drop_raise),
    ]

    skips = file_mutation.MutationVisitor._skip_node_and_children

    def skips_less(self: file_mutation.MutationVisitor, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and is_reachable(node):
            return skips(self, node.with_changes(decorators=[]))
        return skips(self, node)

    arrange = file_mutation.function_trampoline_arrangement

    def arrange_below_decorator(
        function: cst.FunctionDef, mutants: Iterable[Any], class_name: str | None
    ) -> Any:
        """Decorates only what chooses among the mutants, which then are plain functions."""
        if not is_reachable(function):
            return arrange(function, mutants, class_name)
        bare = function.with_changes(decorators=[])
        empty, methods, assignments, names = arrange(bare, mutants, class_name)
        chooser = cst.ensure_type(methods[0], cst.FunctionDef)
        decorated = chooser.with_changes(decorators=[*function.decorators, *chooser.decorators])
        return empty, [decorated, *methods[1:]], assignments, names

    execute = PytestRunner.execute_pytest
    parent = os.getpid()

    def execute_limited(self: PytestRunner, params: list[str], **settings: Any) -> int:
        plugins = [*settings.pop("plugins", []), *([] if os.getpid() == parent else [Limit()])]
        return execute(self, params, plugins=plugins, **settings)

    file_mutation.MutationVisitor._skip_node_and_children = skips_less  # type: ignore[method-assign]
    file_mutation.function_trampoline_arrangement = arrange_below_decorator
    PytestRunner.execute_pytest = execute_limited  # type: ignore[method-assign]


class Limit:
    """Ends the process of a mutant when one test takes far longer than without it.

    Mutmut's own limit covers all the tests of a mutant together, which may be minutes. Processor
    time is what counts: a simulated clock that never arrives spins, and other processes may hold
    up this one.
    """

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        from mutmut.state import state

        signal.signal(signal.SIGVTALRM, lambda *_: os._exit(36))  # mutmut's code for a timeout
        known = state().duration_by_test.get(nodeid, 1.0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 5 + 10 * known)

    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def run_inside(only: str | None, jobs: int) -> None:
    """Runs mutmut in the current folder and writes ``found.json``."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    adapt_mutmut()
    from mutmut.__main__ import cli

    names = [f"*{only}*"] if only else []
    cli(["run", "--max-children", str(jobs), *names], standalone_mode=False)
    assert_mutants_are_loaded()
    found = [asdict(mutant) for mutant in read_mutants(only)]
    Path("found.json").write_text(json.dumps(found), encoding="utf-8")


def assert_mutants_are_loaded() -> None:
    """The tests must have imported the changed copy, not what is installed."""
    ours = {
        name: module.__file__
        for name, module in sys.modules.items()
        if name.partition(".")[0].startswith("octotui") and getattr(module, "__file__", None)
    }
    elsewhere = [
        f"{name} from {file}"
        for name, file in ours.items()
        if file and not Path(file).resolve().is_relative_to(Path("mutants").resolve())
    ]
    if elsewhere or not ours:
        raise SystemExit(f"the tests did not load the mutants: {elsewhere[:3]}")


def read_mutants(only: str | None) -> Iterator[Mutant]:
    """What mutmut wrote of each mutant that was run."""
    from fnmatch import fnmatch

    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import read_functions_from_index
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    statuses = {"survived": "survived", "no tests": "untested"}
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        starts = definition_lines(path.read_text(encoding="utf-8"))
        for name, code in data.exit_code_by_key.items():
            if only and not fnmatch(name, f"*{only}*"):
                continue
            status = status_by_exit_code[code]
            if status in ("not checked", "check was interrupted by user"):
                raise SystemExit(f"{name} was not run")
            function, owner = orig_function_and_class_names_from_key(name)
            qualified = f"{owner}.{function}" if owner else function
            functions = read_functions_from_index(name, path)
            assert functions is not None
            offset, before, after = difference(*map(body_text, functions))
            yield Mutant(
                name=name,
                file=str(path) if path.parts[0] == "octotui" else f"{PLUGINS}{path}",
                function=qualified,
                line=starts.get(qualified, 1) + offset,
                before=before,
                after=after,
                status=statuses.get(status, "killed"),
            )


def definition_lines(source: str) -> dict[str, int]:
    """The line of each ``def`` that mutmut may change, by the function's qualified name."""
    lines = {}
    for node in ast.parse(source).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in inner:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                lines[prefix + function.name] = function.lineno
    return lines


def body_text(function: cst.FunctionDef) -> str:
    """A function's text from its ``def`` on."""
    import libcst as cst

    bare = function.with_changes(decorators=[], leading_lines=[], lines_after_decorators=[])
    return cst.Module([bare]).code


def difference(old_text: str, new_text: str) -> tuple[int, str, str]:
    """How many lines below the first a change begins, the lines before it, the lines after it."""
    old = [line.strip() for line in old_text.splitlines()]
    new = [line.strip() for line in new_text.splitlines()]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    _, begin, _, new_begin, _ = changes[0]
    _, _, end, _, new_end = changes[-1]
    return begin, "\n".join(old[begin:end]), "\n".join(new[new_begin:new_end])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="all where none is named")
    parser.add_argument("--only", help="only mutants with this in their name, as interlocks")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        run_inside(options.only, options.jobs)
        return 0
    by_name = {group.name: group for group in GROUPS}
    if unknown := [name for name in options.groups if name not in by_name]:
        parser.error(f"no group {unknown[0]}: {', '.join(by_name)}")
    equivalents = load_equivalents()
    lost = [e.file for e in equivalents if not any(group.covers(e.file) for group in GROUPS)]
    if lost:
        parser.error(f"{EQUIVALENT.name} names {lost[0]}, which is in no group")
    passed = True
    for name in options.groups or by_name:
        mutants = run_group(by_name[name], options.only, options.jobs)
        if mutants is None:
            print(f"{name}: mutmut failed")
            return 1
        result = evaluate(by_name[name], mutants, equivalents, whole=not options.only)
        print(result)
        for line in (*result.survivors, *result.errors):
            print(line)
        passed = passed and result.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
