"""The contract test has teeth: each of these faults in agent.ps1 makes one of its cases differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.contract_cases import CASES
from tests.lab.contract_support import AGENT, Bench, answers_of_both, differences, open_bench
from tests.lab.powershell_support import find_powershell

pytestmark = [pytest.mark.powershell, pytest.mark.asyncio(loop_scope="module")]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A text in agent.ps1, what replaces it, and the case that must notice."""

    name: str
    text: str
    instead: str
    case: str


MUTATIONS = (
    Mutation(
        "a wrong exit code",
        "return New-JobEnd $code $result",
        "return New-JobEnd 0 $result",
        "msiexec ends with 1603",
    ),
    Mutation(
        "a reboot taken for a failure", "@(0, 1641, 3010)", "@(0, 1641)", "msiexec ends with 3010"
    ),
    Mutation(
        "a service not stopped", "Invoke-ServiceVerb 'stop'", "$null = Join-Path 'stop'", "stop"
    ),
    Mutation(
        "a stop believed",
        "if ($stopped -and (Test-Stopped $now))",
        "if ($true)",
        "a stop that lies",
    ),
    Mutation(
        "what is installed already only maintained",
        "if (Test-ToReinstall $directory $wanted)",
        "if ($false)",
        "mend an incomplete installation",
    ),
    Mutation(
        "a wrong path", "Get-OctotuiFolder 'packages'", "Get-OctotuiFolder 'package'", "stage"
    ),
    Mutation(
        "a hash not compared",
        "if ($proof.sha256 -ne $expected)",
        "if ($false)",
        "prove by a signer",
    ),
    Mutation(
        "a signer not compared",
        "elseif ($proof.signer -cne $wanted)",
        "elseif ($false)",
        "prove by a signer",
    ),
    Mutation(
        "a tampered package installed",
        "if ($hash -ne $expected) { return New-JobEnd 1",
        "if ($false) { return New-JobEnd 1",
        "install a tampered file",
    ),
    Mutation(
        "a watchdog left alone",
        "$null = Disable-ScheduledTask",
        "$null = Get-ScheduledTask",
        "park and unpark",
    ),
    Mutation(
        "parked twice, found once",
        "if ($null -eq $found) {\n        $found = [ordered]@{",
        "if ($true) {\n        $found = [ordered]@{",
        "park twice",
    ),
    Mutation(
        "a delayed start forgotten",
        "'automatic-delayed' = 'delayed-auto'",
        "'automatic-delayed' = 'auto'",
        "an automatic-delayed service",
    ),
    Mutation(
        "the manager not suppressed", "RUNMANAGERONEXIT=no", "RUNMANAGERONEXIT=yes", "install"
    ),
    Mutation(
        "another instance upgraded",
        'database --upgrade --instance=`"$($entry.name)`"',
        "database --upgrade --instance=Other",
        "database upgrade",
    ),
    Mutation("a backup in the customer's chain", "COPY_ONLY, CHECKSUM", "CHECKSUM", "backup"),
    Mutation(
        "a backup that is not verified",
        "$result.verified = $true",
        "$result.verified = $false",
        "backup",
    ),
    Mutation(
        "a failed backup believed", "if ($SqlErrors.Count)", "if ($false)", "backup that fails"
    ),
    Mutation(
        "a log of anything",
        "if (-not (Test-Below $path (Get-OctotuiFolder)))",
        "if ($false)",
        "logs elsewhere",
    ),
    Mutation(
        "a lost job still running", "return 'lost'", "return 'running'", "a job that was lost"
    ),
    Mutation(
        "a migrator not waited for",
        """--console" { param($line) Write-JobOutput $line }""",
        """--console" { param($line) Write-JobOutput $line } 0.01""",
        "database upgrade",
    ),
    Mutation(
        "a parked service not checked",
        "Get-OctopusService | Where-Object { $_.start_type -ne 'disabled' }",
        "Get-OctopusService | Where-Object { $false }",
        "start-type-stays while it is parked",
    ),
    Mutation(
        "a parked watchdog not checked",
        "Get-WatchdogTask | Where-Object { $_.enabled }) | ForEach-Object",
        "Get-WatchdogTask | Where-Object { $false }) | ForEach-Object",
        "watchdog-stays while it is parked",
    ),
    Mutation(
        "a service not put back and forgotten",
        "$types[$_.name] -ne $_.start_type",
        "$false",
        "start-type-stays while it is unparked",
    ),
    Mutation(
        "a watchdog not put back and forgotten",
        "$enabled -notcontains $_.name",
        "$false",
        "watchdog-stays while it is unparked",
    ),
    Mutation(
        "forgotten before it is put back",
        "    $back = [ordered]@{ services = @(); watchdog = @() }\n",
        "    $back = [ordered]@{ services = @(); watchdog = @() }\n"
        "    [System.IO.File]::Delete((Get-ParkedFile))\n",
        "start-type-stays while it is unparked",
    ),
    Mutation(
        "a signature not checked",
        "if ($proof.signature -ne 'Valid')",
        "if ($false)",
        "prove a tampered file",
    ),
    Mutation(
        "a download not checked",
        """if ($hash -ne $Expected) { return "has""",
        """if ($false) { return "has""",
        "stage with another hash",
    ),
    Mutation("a host restarted by the installer", " /norestart", "", "install"),
    Mutation(
        "another directory installed into",
        'INSTALLLOCATION=`"$directory`"',
        "",
        "install",
    ),
    Mutation(
        "a backup never verified",
        "Invoke-LongStatement $connection ($SqlVerify -f (ConvertTo-SqlText $file))",
        "",
        "backup",
    ),
    Mutation("a backup without checksums", "COPY_ONLY, CHECKSUM", "COPY_ONLY", "backup"),
    Mutation(
        "a way out of the folder",
        "[System.IO.Path]::GetFullPath($Path).StartsWith",
        "$Path.StartsWith",
        "logs elsewhere",
    ),
    Mutation(
        "any id of a job",
        "if ($id -cnotmatch '^[a-z0-9][a-z0-9.-]{0,120}$')",
        "if ($false)",
        "a job's bad id",
    ),
    Mutation("a job started twice", "if ($found -cne $kind)", "if ($false)", "a job started twice"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with open_bench(find_powershell(), tmp_path_factory.mktemp("mutations")) as opened:
        yield opened


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
async def test_a_fault_in_the_agent_is_noticed(
    bench: Bench, mutation: Mutation, tmp_path: Path
) -> None:
    text = AGENT.read_text(encoding="ascii")
    assert mutation.text in text, "the agent changed: choose another text for this mutation"
    mutant = tmp_path / "agent.ps1"
    mutant.write_text(text.replace(mutation.text, mutation.instead), encoding="ascii")
    case = next(case for case in CASES if case.name == mutation.case)
    python, powershell = await answers_of_both(bench, case, mutant)
    assert differences(python, powershell)
