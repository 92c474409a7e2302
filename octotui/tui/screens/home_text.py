"""What the home screen says, made from its rows alone."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

import octotui
from octotui.tui.home_list import ProfileRow, RunRow
from octotui.tui.words import ago, duration, join, run_mark


def head_text(runs: Sequence[RunRow]) -> Content:
    alive = sum(row.alive for row in runs)
    waiting = sum(row.state in ("held", "needs_person", "ready") and row.alive for row in runs)
    text = Content.assemble((f" octotui {octotui.__version__} ", "bold"), f"  {alive} running")
    if waiting:
        text += Content.styled(f"  ! {waiting} waiting for a person", "bold $warning")
    return text


def profile_line(row: ProfileRow) -> Content:
    if row.fault:
        return Content.assemble((f"{row.name:<16} ", "bold"), ("✗ ", "bold $error"), row.fault)
    nodes = f"{len(row.nodes)} nodes" if len(row.nodes) != 1 else "1 node"
    last = row.last
    if last is None:
        known: tuple[str, str] = ("no run yet", "$text-muted")
    else:
        glyph, word, style = run_mark(last.state)
        known = (f"{last.version}  {glyph} {word}", style)
    return Content.assemble((f"{row.name:<16} ", "bold"), f"{nodes:<9} ", known)


def profile_detail(row: ProfileRow, now: float) -> Content:
    """What is known without asking the cluster: the profile, and the last run's last look."""
    lines = [Content.styled(row.name, "bold"), Content(row.url)]
    if row.nodes:
        lines.append(Content(f"nodes: {', '.join(row.nodes)}"))
    lines.append(Content.styled(str(row.path), "$text-muted"))
    last = row.last
    if last is not None:
        glyph, word, style = run_mark(last.state)
        lines.append(Content(""))
        lines.append(Content.assemble("last run ", (f"{glyph} {word}", style)))
        if last.started is not None:
            lines.append(Content(f"  {ago(now - last.started)}, {last.run.run_id}"))
        if last.outage is not None:
            lines.append(Content(f"  outage {duration(last.outage)}"))
        lines += [Content(f"  {text}") for text in last.nodes]
    lines.append(Content(""))
    lines.append(
        Content.styled("enter reads facts, runs the checks and makes a plan; it changes nothing "
                       "before you approve.", "$text-muted")
    )  # fmt: skip
    return join(lines)


def run_line(row: RunRow, now: float) -> Content:
    glyph, word, style = run_mark(row.state)
    versions = f"{row.from_version or '?'} → {row.to_version or '?'}"
    life: tuple[str, str] = ("● live ", "$success") if row.alive else ("", "")
    if not row.alive and not row.ended:
        life = ("✗ gone ", "bold $error")
    when = ago(now - row.started) if row.started is not None else ""
    return Content.assemble(
        (f"{glyph} {word:<18} ", style),
        life,
        f"{versions:<27} {row.cluster.partition('//')[2]}",
        (f"  {when}  {row.run.run_id}", "$text-muted"),
    )
