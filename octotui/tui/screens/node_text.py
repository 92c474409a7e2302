"""What the node's screen says, made from the view alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.content import Content

from octotui.tui.words import SERVING_MARKS, STEP_MARKS, date_and_time, duration, join
from octotui.view import RunView, StepView


def node_head(view: RunView, name: str, now: float, alive: bool = True) -> Content:
    """Name, version, whether it serves, what it does. ``alive``: a process works on the run."""
    node = view.nodes[name]
    serving = SERVING_MARKS[node.serving]
    first = ", upgrades the database" if view.plan.get("first_node") == name else ""
    doing = f"  ▶ {node.doing}" if node.doing else ""
    if node.doing and not alive:
        doing = f"  ? not known: {node.doing}"
    failed = [step.title for step in view.failed_steps() if step.node == name]
    bad = f"  ✗ failed: {failed[0]}" if failed and not doing else ""
    left = "  ! left out" if node.left_out else ""
    return Content.assemble(
        (f" {name} ", "bold"),
        f"{node.version or 'version unknown'}{first}  ",
        serving,
        (left, "bold $warning"),
        (doing, "$accent"),
        (bad, "bold $error"),
    )


def node_steps(view: RunView, name: str, now: float, alive: bool = True) -> Content:
    """What runs or failed there, in full; then its steps in the plan's order, each with its state

    and time.
    """
    own = [step for step in view.steps.values() if step.node == name]
    lines: list[Content] = []
    for step in own:
        if step.state not in ("pending", "done", "already"):
            lines += [_step(step, now, alive), *_details(step)]
    if lines:
        lines.append(Content(""))
    phase = ""
    for step in own:
        if step.phase != phase:
            phase = step.phase
            lines.append(Content.styled(phase.replace("_", " "), "bold $accent"))
        lines.append(_step(step, now, alive))
    return join(lines or [Content.styled("There is no plan yet.", "dim")])


def _step(step: StepView, now: float, alive: bool) -> Content:
    glyph, word, style = STEP_MARKS[step.state]
    if step.state == "running" and not alive:
        return Content.assemble((" ? unknown  ", "$warning"), step.title)
    return Content.assemble((f" {glyph} {word:<8} ", style), step.title, (_took(step, now), "dim"))


def _details(step: StepView) -> Iterator[Content]:
    if step.waiting:
        yield Content.assemble(("    waits: ", "bold"), step.waiting)
    elif step.progress:
        yield Content(f"    {step.progress}")
    for key in ("what", "meaning", "left", "next"):
        if step.error.get(key):
            yield Content(f"    {step.error[key]}")


def _took(step: StepView, now: float) -> str:
    attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
    if step.started is None:
        return f"  about {duration(step.expected)}" if step.expected > 1 else ""
    seconds = max(0.0, (step.ended or now) - step.started)
    if step.ended is not None and seconds < 1.0 and not attempt:
        return ""
    taken = duration(int(seconds))
    expected = f" of about {duration(step.expected)}" if step.state == "running" else ""
    return f"  {taken}{expected}{attempt}"


def facts_text(view: RunView, name: str) -> Content:
    """What the node said of itself when it was last asked."""
    facts = view.facts.get(name)
    node = view.nodes[name]
    lines: list[Content] = []
    if node.problem:
        lines.append(Content.assemble(("✗ ", "bold $error"), node.problem))
    if facts and node.asked is not None:
        lines.append(Content.styled(f"as read at {date_and_time(node.asked)}", "dim"))
        lines += [
            Content.assemble((f"{title}: ", "dim"), value)
            for title, value in _facts(facts)
            if value
        ]
    return join(lines or [Content.styled("It was not asked yet.", "dim")])


def _facts(facts: Any) -> Iterator[tuple[str, str]]:
    for key, title in (
        ("version", "version"),
        ("install_directory", "installed in"),
        ("os", "system"),
        ("computer", "computer"),
        ("powershell", "PowerShell"),
        ("identity", "we are"),
    ):
        yield title, str(facts.get(key) or "")
    for service in (facts.get("services") or {}).get("services", ()):
        yield f"service {service['name']}", f"{service['state']}, {service['start_type']}"
    for disk in facts.get("disks") or ():
        free = disk.get("free")
        if free is not None:
            yield f"disk {disk['name'].rstrip(':')}", f"{free / 2**30:.1f} GiB free"
