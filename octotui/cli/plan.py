"""``octotui check`` and ``octotui plan``: everything up to the approval, changing nothing."""

from __future__ import annotations

import asyncio
import json
import time

import click

from octotui.cli.lines import duration, finding_line
from octotui.cli.upgrade import checked_profile
from octotui.run.findings import Judged
from octotui.run.request import RunRequest
from octotui.upgrade.estimating import TAKES_TIME, expectation
from octotui.upgrade.phases import BY_NAME
from octotui.upgrade.plan import Plan
from octotui.upgrade.planned_step import PlannedStep


@click.command()
@click.argument("profile")
@click.option("--to", "to", default="", metavar="VERSION", help="Instead of the profile's.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--waive", multiple=True, metavar="NAME", help="Waive a check that may be waived.")
def check(profile: str, to: str, as_json: bool, waive: tuple[str, ...]) -> int:
    """Read all facts of PROFILE's cluster and run every check. Exit code 3 where one refuses."""
    findings, _ = _look(profile, to, waive)
    if as_json:
        click.echo(json.dumps({"findings": [judged.as_json() for judged in findings]}))
    else:
        _print(findings)
    return 3 if any(judged.refuses for judged in findings) else 0


@click.command()
@click.argument("profile")
@click.option("--to", "to", default="", metavar="VERSION", help="Instead of the profile's.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--mermaid", is_flag=True, help="A diagram of the phases.")
@click.option("--waive", multiple=True, metavar="NAME", help="Waive a check that may be waived.")
def plan(profile: str, to: str, as_json: bool, mermaid: bool, waive: tuple[str, ...]) -> int:
    """Show what an upgrade of PROFILE's cluster would do, without doing any of it."""
    findings, made = _look(profile, to, waive)
    if made is None:
        _print([judged for judged in findings if judged.finding.result != "pass"])
        click.echo("There is no plan as long as a check refuses.", err=True)
        return 3
    phases = [p for p in BY_NAME if p != "rolling_back" and (made.is_cluster or p != "joining")]
    if as_json:
        data = made.as_json()
        click.echo(json.dumps({"phases": phases, **data}))
    elif mermaid:
        click.echo(_mermaid(phases))
    else:
        _print_plan(made, phases)
        _print([judged for judged in findings if judged.finding.result in ("warn", "fail")])
    return 0


def _look(profile: str, to: str, waived: tuple[str, ...]) -> tuple[list[Judged], Plan | None]:
    from octotui.run.assemble import assemble
    from octotui.run.preflight import look

    path = checked_profile(profile)
    run_id = "look-" + time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    parts = assemble(RunRequest(str(path), to, waived=waived), run_id)

    async def everything() -> tuple[list[Judged], Plan | None]:
        async with parts.world:
            seen = await look(parts.world, parts.settings, parts.plugins.checks, run_id)
            return seen.findings, seen.plan

    return asyncio.run(everything())


def _print(findings: list[Judged]) -> None:
    for judged in findings:
        click.echo(finding_line(judged.as_json()))


def _print_plan(made: Plan, phases: list[str]) -> None:
    click.echo(f"{made.cluster_url}: {made.from_version} to {made.to_version}")
    for phase in phases:
        steps = made.steps_of(phase)
        if not steps:
            continue
        click.echo(f"\n{phase}: {BY_NAME[phase].title}")
        for step in steps:
            click.echo(f"  {step.node or 'cluster':<12} {step.title}, {_about(made, step)}")
    click.echo(f"\nExpected: {expectation(made, duration)}.")


def _about(made: Plan, step: PlannedStep) -> str:
    """How long a step is expected to take, and what it took where that was measured here."""
    measure = made.measures.get(step.name)
    if measure is None or step.seconds <= TAKES_TIME:
        return duration(step.seconds)
    last, worst = duration(measure.last), duration(measure.worst)
    return f"{duration(step.seconds)} (last {last}, worst {worst})"


def _mermaid(phases: list[str]) -> str:
    lines = ["stateDiagram-v2"]
    lines += [f"    {a} --> {b}" for a, b in zip(phases, [*phases[1:], "succeeded"], strict=True)]
    lines.append("    note right of migrating: point of no return")
    return "\n".join(lines)
