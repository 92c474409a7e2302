"""Mutation testing: ``python scripts/mutants.py [GROUP ...]``, see docs/testing.md.

Each group of files is held to the share of its mutants that the named tests must kill; the exit
code is 1 where a group is below it, 2 where it cannot be told.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.mutation import equivalent  # noqa: E402
from scripts.mutation.make import Mutant, mutants  # noqa: E402
from scripts.mutation.run import CannotRun, Verdict, run  # noqa: E402

#: The same seeds and hashes each time, so that a verdict can be repeated; each mutant runs the
#: tests of random seeds, so these are few.
FIXED = {"OCTOTUI_SEEDS": "100", "PYTHONHASHSEED": "0"}
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are mutated, the tests that should notice (patterns), and how many at least."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    #: Percent of the mutants that are not equivalent.
    share: float
    #: Part of the names of tests that measure time: what they say of a mutant depends on the load.
    without: str = ""


#: Whole upgrades at the ports. The simulation that speaks the real protocols tells the same
#: stories, too slowly for thousands of mutants.
UPGRADES = (
    "tests/simulation/test_guards_*.py",
    "tests/simulation/test_seeds.py",
    "tests/simulation/test_control*.py",
    "tests/simulation/test_faults_*.py",
    "tests/simulation/test_estimates.py",
)

GROUPS = {
    "upgrade": Group(
        ("octotui/upgrade/**/*.py",),
        ("tests/unit/test_upgrade_*.py", "tests/unit/test_run_*.py", *UPGRADES),
        95,
    ),
    "run": Group(
        ("octotui/run/*.py",),
        (
            "tests/unit/test_run_*.py",
            "tests/unit/test_findings_*.py",
            "tests/unit/test_plugins_*.py",
            *UPGRADES,
        ),
        95,
    ),
    "view": Group(
        ("octotui/view.py",),
        ("tests/unit/test_view_*.py",),
        90,
    ),
    "winrm": Group(
        tuple(
            f"plugins/octotui_winrm/{name}.py"
            for name in ("call", "faults", "channel", "wire", "transport")
        ),
        ("tests/unit/test_winrm_*.py", "tests/lab/test_winrm_faults.py"),
        90,
    ),
    "checks": Group(("plugins/octotui_checks/*.py",), ("tests/unit/test_checks_*.py",), 90),
    "secrets": Group(
        (
            "octotui/profile/secrets.py",
            "octotui/profile/references.py",
            "octotui/report/mask.py",
            "octotui/api/secrets.py",
        ),
        ("tests/unit/test_profile_*.py", "tests/unit/test_bundle_*.py"),
        90,
        without="as_long or read_once or megabytes",
    ),
}


@dataclass(frozen=True, slots=True)
class Count:
    """The figures of a group."""

    killed: int
    survived: int
    equivalent: int

    @property
    def judged(self) -> int:
        return self.killed + self.survived

    @property
    def share(self) -> float:
        return 100 * self.killed / self.judged if self.judged else 100.0

    def sentence(self, group: str) -> str:
        return (
            f"{group}: {self.judged + self.equivalent} mutants: {self.killed} killed,"
            f" {self.survived} survived, {self.equivalent} equivalent:"
            f" {self.share:.1f} % of {self.judged}"
        )


def count(verdicts: Mapping[int, Verdict], equivalents: int) -> Count:
    """A mutant that lasts too long is killed; one that no test runs has survived."""
    killed = sum(verdict in ("killed", "timeout") for verdict in verdicts.values())
    return Count(killed, len(verdicts) - killed, equivalents)


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that the patterns stand for, relative to the project."""
    paths = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def judge(name: str, only: str) -> int:
    """Runs one group, or its files with ``only`` in their paths; the exit code.

    What no test notices is printed as it is found, the figures at the end.
    """
    group = GROUPS[name]
    began = time.monotonic()
    files = [file for file in expand(group.sources) if only in file]
    if not files:
        raise CannotRun(f"no file of the group has {only!r} in its path")
    made: list[Mutant] = [mutant for file in files for mutant in mutants(ROOT, file)]
    entries = [e for e in equivalent.read(EQUIVALENT) if e.file in files]
    same = equivalent.match(entries, made)
    tried = [mutant for position, mutant in enumerate(made) if position not in same]
    workers = int(os.environ.get("MUTANTS_WORKERS", "") or os.cpu_count() or 1)
    tests = [*expand(group.tests), *(["-k", f"not ({group.without})"] if group.without else [])]
    result = run(ROOT, tried, tests, workers, _progress, _unnoticed)
    if sys.stderr.isatty():
        print(end="\r\033[K", file=sys.stderr)
    figures = count(result.verdicts, len(same))
    print(figures.sentence(name), f"({time.monotonic() - began:.0f} s)")
    if figures.share < group.share:
        print(f"\n{name}: {figures.share:.1f} % is below {group.share} %")
        return 1
    return 0


def _unnoticed(mutant: Mutant, why: str) -> None:
    # The tests' own output is kept away from the terminal meanwhile.
    print(f"{mutant.diff}\n   in {mutant.function}: {why}\n", file=sys.__stdout__, flush=True)


def _progress(done: int, of: int) -> None:
    # Not sys.stderr, which goes nowhere while the tests run.
    if sys.__stderr__ is not None and sys.__stderr__.isatty():
        print(f"\r{done} of {of}", end="", file=sys.__stderr__, flush=True)
    elif done % 100 == 0:  # so that a job's log shows that it goes on
        print(f"{done} of {of}", file=sys.__stderr__, flush=True)


def main(names: Sequence[str]) -> int:
    unknown = set(names) - set(GROUPS)
    if unknown:
        print(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
        return 2
    if len(names) == 1 and FIXED.items() <= os.environ.items():
        try:
            return judge(names[0], os.environ.get("MUTANTS_ONLY", ""))
        except (CannotRun, equivalent.BadList) as error:
            print(f"{names[0]}: {error}")
            return 2
    # A process for each group: pytest and what it loads can be set up only once in one.
    codes = [
        subprocess.run([sys.executable, __file__, name], env=os.environ | FIXED).returncode
        for name in names or GROUPS
    ]
    return max(code if code >= 0 else 2 for code in codes)  # below 0: ended by a signal


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
