"""The faults made in agent.ps1: which, where, and that the list of equivalents fits them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import mutants_agent
from scripts.mutation.agent.making import Script, all_mutants, instrumented, read_script
from tests.powershell_host import find_powershell

pytestmark = pytest.mark.powershell

_SCRIPT = """\
$Codes = @(0, 3010)
function Wait-End([string]$Name, [double]$Seconds = 5) {
    if (-not $Name -or $Seconds -le 0) { throw 'no' }
    try { Stop-It $Name -Force }
    finally { $script:Done = $true }
    Remove-Note $Name
    return $Codes -contains 1
}
Wait-End 'x'
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    file = tmp_path_factory.mktemp("script") / "x.ps1"
    file.write_text(_SCRIPT)
    return read_script(find_powershell(), file)


@pytest.mark.parametrize(
    ("line", "was", "became"),
    [
        (1, "0", "1"),
        (1, ", 3010", ""),
        (3, "-not $Name -or $Seconds -le 0", "$true"),
        (3, "-not $Name", "$Name"),
        (3, "-or", "-and"),
        (3, "-le", "-lt"),
        (4, " -Force", ""),
        (5, "{ $script:Done = $true }", "{ }"),
        (6, "Remove-Note $Name", ""),
        (7, "-contains", "-notcontains"),
        (9, "", " 0.01"),
    ],
)
def test_small_faults_are_made(script: Script, line: int, was: str, became: str) -> None:
    made = {(m.line, m.was, m.became): m for m in all_mutants(script)}
    mutant = made[line, was, became]
    before, after = _SCRIPT.splitlines(), mutant.apply(_SCRIPT).splitlines()
    changed = [
        number
        for number, pair in enumerate(zip(before, after, strict=True), 1)
        if pair[0] != pair[1]
    ]
    assert changed == [line]
    assert mutant.function == ("Wait-End" if 1 < line < 9 else "script")


def test_marks_show_which_blocks_are_entered(script: Script, tmp_path: Path) -> None:
    text, names = instrumented(script, tmp_path)
    assert len(names) == 4
    assert text.count("CreateDirectory") == 4
    inner = script.block_at((_SCRIPT.index("throw"), _SCRIPT.index("throw") + 1))
    assert inner is not None
    assert script.of(inner) == "{ throw 'no' }"
    assert script.readers(0) == [script.block_at((_SCRIPT.index("return"),) * 2)]


def test_every_equivalent_that_is_listed_is_a_fault_of_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutants = all_mutants(read_script(find_powershell(), mutants_agent.SCRIPTS["agent"]))
    listed = mutants_agent.equivalents(mutants)
    assert listed
    assert all(reason.endswith(".") for reason in listed.values())
    gone = tmp_path / "gone.toml"
    gone.write_text(
        '[[equivalent]]\nfunction = "X"\nline = "y"\nwas = "a"\nbecame = "b"\nwhy = "None."\n'
    )
    monkeypatch.setattr(mutants_agent, "EQUIVALENT", gone)
    with pytest.raises(SystemExit, match="is no mutant of agent"):
        mutants_agent.equivalents(mutants)
