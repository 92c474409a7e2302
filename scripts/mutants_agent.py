"""Does every guard of agent.ps1 have a test that fails without it?

Makes small faults (mutants) in ``octotui/windows/agent.ps1``, one at a time, and runs the tests
that reach the place against each until one notices: the contract cases and the tests of the agent
in a real PowerShell. ``mutation/agent/making.py`` says which. Prints how many were killed, and
each survivor with what it was and what it became. The exit code is 1 where one survived that is
not listed as equivalent.

    python scripts/mutants_agent.py [--only NAME] [--list] [--part K/N] [--most N] [--verbose]
                                    [--script prepare]

``--only`` takes the functions whose names fit NAME, a regular expression; ``--list`` judges
nothing; ``--part 2/5`` judges every fifth mutant from the second on; ``--script prepare`` is about
``prepare.ps1``. Needs OCTOTUI_PWSH. ``tests/mutants/agent_equivalent.toml`` lists the mutants that
change nothing an operator could see, each with its reason; an entry that fits no mutant any more is
an error.

How it judges: a first run with marks in every block of the script shows which tests reach which
block (kept in ``.mutants_cache`` until a file of tests changes). Tests that noticed are soon run
again with the true agent: where one fails then too, because of what a mutant left behind, the
last mutants are judged anew. A mutant with which a test takes much longer than usual, above all
one that loops for ever, counts as killed. Of a place that more tests reach than ``--most``, two
cases of each parametrized test are run and the quickest of the contract's cases, so the number of
killed is rather too low than too high.

What cannot be judged here, because only Windows has it: whether msiexec and Octopus.Server.exe
take the command line as we mean it; rights and owners of files; what the logon type, priority and
limits of a task do; how files are shared (.NET on Linux only keeps writers off while a file is
open at all, which the tests do ask for); whether a window appears; .NET Framework's TLS defaults
and proxy; the console's code page; mutexes of other sessions; whether a flush reaches the disk
before a power cut; whether messages of SQL Server come while a statement runs; and limits of a
minute or more.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from scripts.mutation.agent.judging import TESTS, Judge, Verdict  # noqa: E402
from scripts.mutation.agent.making import (  # noqa: E402
    Extent,
    Key,
    Mutant,
    Script,
    all_mutants,
    instrumented,
    read_script,
)

#: Both run with an administrator's rights on every node.
SCRIPTS = {name: ROOT / "octotui" / "windows" / f"{name}.ps1" for name in ("agent", "prepare")}
EQUIVALENT = ROOT / "tests" / "mutants" / "agent_equivalent.toml"
_CACHE = ROOT / ".mutants_cache"
#: How much longer than usual a test may take before it counts as one without an end.
_TIMES, _MORE_SECONDS = 5.0, 6.0
#: How many of the tests that last noticed a fault of the same function are run first.
_NOTICED_LATELY = 6
#: Of a parametrized test, how many of its cases are run where many tests reach the place.
_ALIKE = 2
#: After how many noticed faults the tests that noticed are run with the true agent.
_CONFIRMED_TOGETHER = 12


class Reach:
    """Which tests reach which block of the script, and how long each takes."""

    def __init__(self, script: Script, name: str) -> None:
        self._script = script
        self._cache = _CACHE / f"reached-{name}.json"
        self.blocks: dict[Extent, list[str]] = defaultdict(list)
        self.seconds: dict[str, float] = {}
        self._noticed: dict[str, list[str]] = defaultdict(list)

    def record(self, judge: Judge) -> None:
        """Runs every test once in the script with marks; asks the cache first.

        Of a function that changed since, every block counts as reached by what reached one of them.
        """
        cache = json.loads(self._cache.read_text()) if self._cache.exists() else {}
        digests = {file: _digest(file) for file in TESTS if (ROOT / file).exists()}
        functions = self._script.blocks_by_function()
        with tempfile.TemporaryDirectory(prefix="mutants-reached-") as name:
            folder = Path(name)
            text, names = instrumented(self._script, folder)
            judge.start(text)
            for number, test in enumerate(judge.tests, 1):
                digest = digests[test.partition("::")[0]]
                known = cache.get(test)
                if known is None or known["digest"] != digest:
                    _progress(f"what reaches what: test {number} of {len(judge.tests)}")
                    seconds, marks = _reached(judge, text, test, folder)
                    known = {"digest": digest, "seconds": seconds, "functions": {}}
                    for function, (version, blocks) in functions.items():
                        at = [n for n, block in enumerate(blocks) if names[block] in marks]
                        if at:
                            known["functions"][function] = [version, at]
                    cache[test] = known
                self.seconds[test] = known["seconds"]
                for function, (version, at) in known["functions"].items():
                    now, blocks = functions.get(function, ("", []))
                    reached = [blocks[n] for n in at] if version == now else blocks
                    for block in reached:
                        self.blocks[block].append(test)
        _CACHE.mkdir(exist_ok=True)
        self._cache.write_text(json.dumps({test: cache[test] for test in judge.tests}))

    def tests(self, mutant: Mutant, most: int) -> list[str]:
        """Those to run against a fault, in this order."""
        block = self._script.block_at(mutant.extent)
        blocks = [block] if block else self._script.readers(mutant.extent[0])
        found = {test for block in blocks for test in self.blocks[block]}
        if not blocks:
            found = set(self.seconds)
        lately = [t for t in self._noticed[mutant.function] if t in found][:_NOTICED_LATELY]
        by_time = sorted(found - set(lately), key=lambda test: self.seconds[test])
        if len(by_time) > most:
            # Of a place that all tests go through, different ones see more than many alike. None
            # of them is left out for being slow: what takes time guards what is dangerous.
            alike: Counter[str] = Counter()
            kept = []
            for test in by_time:
                name = test if "test_contract" in test else test.partition("[")[0]
                alike[name] += 1
                if alike[name] <= _ALIKE:
                    kept.append(test)
            contract = [test for test in kept if "test_contract" in test]
            others = [test for test in kept if "test_contract" not in test]
            by_time = [*others, *contract[: most // 3]]
        return [*lately, *by_time]

    def noticed(self, mutant: Mutant, test: str) -> None:
        """Remembers a test that noticed a fault, for the next one in the same function."""
        tests = self._noticed[mutant.function]
        if test in tests:
            tests.remove(test)
        tests.insert(0, test)

    @property
    def limits(self) -> dict[str, float]:
        """After how many seconds a test counts as one without an end."""
        return {test: _TIMES * seconds + _MORE_SECONDS for test, seconds in self.seconds.items()}


def _digest(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()


def _reached(judge: Judge, text: str, test: str, folder: Path) -> tuple[float, set[str]]:
    for mark in folder.iterdir():
        mark.rmdir()
    verdict = judge.judge(text, [test], {})
    if verdict.noticed:
        raise SystemExit(f"{test} fails with the agent as it is:\n{verdict.why}")
    return verdict.seconds[test], {mark.name for mark in folder.iterdir()}


def _progress(text: str) -> None:
    print(f"{text:<60}", file=sys.stderr, end="\r", flush=True)


def equivalents(mutants: Iterable[Mutant], name: str = "agent") -> dict[Key, str]:
    """The listed equivalents of a script with reasons. One that fits no mutant ends the run."""
    listed: dict[Key, str] = {}
    if EQUIVALENT.exists():
        for entry in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["equivalent"]:
            if entry.get("script", "agent") != name:
                continue
            what = (entry["function"], entry["line"], entry["was"], entry["became"])
            listed[(*what, entry.get("nth", 1))] = entry["why"]
    known = {mutant.key for mutant in mutants}
    gone = [key for key in listed if key not in known]
    if gone:
        lines = "\n".join(f"  {key[0]}: {key[1]}: {key[2]!r} -> {key[3]!r}" for key in gone)
        raise SystemExit(
            f"{EQUIVALENT.name} lists what is no mutant of {name}.ps1 any more:\n{lines}"
        )
    return listed


class Judgement:
    """Judges one fault after another; ``killed`` (with the test that noticed) and ``survived``."""

    def __init__(self, judge: Judge, script: Script, reach: Reach, most: int) -> None:
        self._judge = judge
        self._script = script
        self._reach = reach
        self._most = most
        self._unconfirmed: list[tuple[Mutant, str]] = []
        self.killed: list[tuple[Mutant, str]] = []
        self.survived: list[Mutant] = []

    def on(self, mutant: Mutant) -> bool:
        """Judges one; False where it survived."""
        verdict = self._verdict(mutant)
        if not verdict.noticed:
            self.survived.append(mutant)
            return False
        self._reach.noticed(mutant, verdict.noticed)
        self._unconfirmed.append((mutant, verdict.noticed))
        if len(self._unconfirmed) >= _CONFIRMED_TOGETHER:
            self.confirm()
        return True

    def confirm(self) -> None:
        """Runs what noticed with the true agent: where that fails too, its fault is judged anew."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        if not any(self._fails({test}) for test in {test for _, test in unconfirmed}):
            self.killed += unconfirmed
            return
        for mutant, _ in unconfirmed:
            verdict = self._verdict(mutant, fresh=True)
            if verdict.noticed and self._fails({verdict.noticed}, fresh=True):
                raise SystemExit(f"{verdict.noticed} fails with the agent as it is")
            if verdict.noticed:
                self.killed.append((mutant, verdict.noticed))
            else:
                self.survived.append(mutant)

    def _verdict(self, mutant: Mutant, *, fresh: bool = False) -> Verdict:
        text, tests = mutant.apply(self._script.text), self._reach.tests(mutant, self._most)
        return self._judge.judge(text, tests, self._reach.limits, fresh=fresh)

    def _fails(self, tests: set[str], *, fresh: bool = False) -> bool:
        limits = self._reach.limits
        return bool(self._judge.judge(self._script.text, list(tests), limits, fresh=fresh).noticed)


def _shown(script: Path, mutant: Mutant) -> str:
    def short(text: str) -> str:
        text = " ".join(text.split())
        return text if len(text) <= 150 else f"{text[:147]}..."

    became = short(mutant.became) or "(nothing)"
    place = f"{script.relative_to(ROOT)}:{mutant.line} ({mutant.function})"
    return f"{place}\n    was     {short(mutant.was)}\n    became  {became}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--script", choices=SCRIPTS, default="agent", help="the script to judge")
    parser.add_argument("--only", metavar="NAME", default="", help="functions whose names fit it")
    parser.add_argument("--list", action="store_true", help="list the faults, judge none")
    parser.add_argument("--part", default="1/1", help="judge a part only: 2/5 is the second fifth")
    parser.add_argument("--most", type=int, default=90, help="tests to run against one mutant")
    parser.add_argument("--verbose", action="store_true", help="also say who killed the killed")
    given = parser.parse_args(arguments)
    pwsh = os.environ.get("OCTOTUI_PWSH")
    if not pwsh:
        raise SystemExit("OCTOTUI_PWSH names no PowerShell: the script's own engine is needed.")
    file = SCRIPTS[given.script]
    script = read_script(Path(pwsh), file)
    mutants = all_mutants(script)
    listed = equivalents(mutants, given.script)
    mutants = [m for m in mutants if re.search(given.only, m.function, re.IGNORECASE)]
    part, parts = map(int, given.part.split("/"))
    mutants = mutants[part - 1 :: parts]
    if given.list:
        print("\n".join(_shown(file, mutant) for mutant in mutants))
        return 0
    to_judge = [mutant for mutant in mutants if mutant.key not in listed]
    with Judge(file.name) as judge:
        reach = Reach(script, given.script)
        reach.record(judge)
        judgement = Judgement(judge, script, reach, given.most)
        with contextlib.suppress(KeyboardInterrupt):
            for number, mutant in enumerate(to_judge, 1):
                if not judgement.on(mutant):
                    print(f"survived: {_shown(file, mutant)}", file=sys.stderr, flush=True)
                _progress(f"{number} of {len(to_judge)}, {len(judgement.survived)} survived")
        judgement.confirm()
    killed, survived = judgement.killed, judgement.survived
    judged = len(killed) + len(survived)
    share = 100 * len(killed) // max(1, judged)
    if judged < len(to_judge):
        print(f"interrupted: {len(to_judge) - judged} mutants were not judged")
    print(
        f"{file.name}: {len(mutants)} mutants: {len(killed)} killed, {len(survived)} survived, "
        f"{len(mutants) - len(to_judge)} equivalent ({share} % of the others)"
    )
    for mutant in survived:
        print(_shown(file, mutant))
    if given.verbose:
        for mutant, test in killed:
            print(f"{_shown(file, mutant)}\n    killed by {test}")
    return 1 if survived or judged < len(to_judge) else 0


if __name__ == "__main__":
    sys.exit(main())
