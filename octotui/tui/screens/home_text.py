"""What the home screen says, made from its rows and the clusters' last answers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from textual.content import Content

import octotui
from octotui.tui.glance import Seen
from octotui.tui.home_list import ProfileRow, RunRow
from octotui.tui.words import ago, clock, duration, join, run_mark, shorten

#: A health's glyph, word and style.
HEALTH_MARKS: Final = {
    "online": ("●", "online", "$success"),
    "answers": ("●", "answers", "$success"),
    "partly": ("!", "online in part", "bold $warning"),
    "draining": ("~", "draining", "$warning"),
    "maintenance": ("~", "maintenance", "$warning"),
    "starting": ("~", "starting", "$warning"),
    "offline": ("✗", "offline", "bold $error"),
    "unreachable": ("✗", "not reachable", "bold $error"),
    "other": ("✗", "not Octopus", "bold $error"),
    "fault": ("✗", "has faults", "bold $error"),
    "unknown": ("?", "not known", "dim"),
}

#: So many nodes of a profile are named, those first that are not online.
_NODES: Final = 8
_NAME: Final = 18
_BARS: Final = "▁▂▃▄▅▆▇█"

_NOTHING_CHANGES: Final = (
    "enter reads facts, runs the checks and makes a plan; it changes nothing before you approve."
)

NO_PROFILE: Final = (
    "No profile yet, neither in ./profiles nor in your own folder.\n"
    "A profile is a file that names one cluster and its nodes.\n"
    "octotui demo shows an upgrade of a simulated cluster;\n"
    "octotui profile check FILE tells what is wrong with a file of yours."
)
NO_RUN: Final = "No run yet. enter on a profile checks its cluster and plans an upgrade."


def head_text(runs: Sequence[RunRow], unreadable: int = 0) -> Content:
    """``unreadable``: how many runs are not listed because nothing can be read of them."""
    alive = sum(row.alive for row in runs)
    waiting = sum(row.waits for row in runs)
    text = Content.assemble((f" octotui {octotui.__version__} ", "bold"), f"  {alive} running")
    if waiting:
        text += Content.styled(f"  ! {waiting} waiting for a person", "bold $warning")
    if unreadable:
        text += Content.styled(f"  ✗ {unreadable} cannot be read: octotui runs", "bold $error")
    return text


def health_mark(row: ProfileRow, seen: Seen | None) -> tuple[str, str, str]:
    """Glyph, word and style of how the profile's cluster is."""
    if row.fault:
        return HEALTH_MARKS["fault"]
    if seen is None:
        return ("⋅", "not asked yet", "dim")
    return HEALTH_MARKS.get(seen.health, HEALTH_MARKS["unknown"])


def version_of(row: ProfileRow, seen: Seen | None) -> str:
    """The version, and whether it is an old one: what was known before the last answer."""
    if seen is not None and seen.version:
        return f"was {seen.version}" if seen.old else seen.version
    return f"was {row.last.version}" if row.last is not None and row.last.version else "?"


def _short_version(row: ProfileRow, seen: Seen | None) -> str:
    """The same for the list, where two versions side by side have no room."""
    version = version_of(row, seen)
    if " and " not in version:
        return version
    was = "was " if version.startswith("was ") else ""
    return f"{was}{version.count(' and ') + 1} versions"


def profile_widths(profiles: Sequence[ProfileRow], seen: Sequence[Seen | None]) -> tuple[int, int]:
    """Cells that the names and versions of the list take."""
    pairs = zip(profiles, seen, strict=True)
    versions = [_short_version(row, each) for row, each in pairs if not row.fault]
    names = [row.name for row in profiles]
    return min(_NAME, max(map(len, names), default=0)), max(map(len, versions), default=0)


def profile_line(
    row: ProfileRow, seen: Seen | None, widths: tuple[int, int], now: float
) -> Content:
    """A line of the list. ``widths``: see ``profile_widths``."""
    glyph, word, style = health_mark(row, seen)
    name, told = widths
    version = "" if row.fault else _short_version(row, seen)
    old = "dim" if version.startswith(("was", "?")) else ""
    text = Content.assemble(
        (f"{shorten(row.name, _NAME):<{name}} ", "bold"),
        (f"{version:<{told}} ", old),
        (f"{glyph} {word:<14}", style),
    )
    if not row.fault:
        text += Content(" 1 node  " if len(row.nodes) == 1 else f" {len(row.nodes)} nodes")
    return text + _last_words(row, now)


def _last_words(row: ProfileRow, now: float) -> Content:
    """The run that works, else the last one, in a few words."""
    run = row.running or row.last
    if run is None:
        return Content.styled("  no run yet", "dim")
    text = Content("  ") + _state_words(run)
    if not run.alive and run.started is not None:
        text += Content.styled(f" {ago(now - run.started)}", "dim")
    return text


def profile_detail(row: ProfileRow, seen: Seen | None, note: str, now: float) -> Content:
    """The profile, its cluster as it last answered and the last run. ``note``: why none is newer.

    What matters most comes first: where there is little room the end is cut off.
    """
    glyph, word, style = health_mark(row, seen)
    lines = [Content.assemble((row.name, "bold"), "  ", (f"{glyph} {word}", style))]
    if reason := row.fault or (seen.reason if seen else ""):
        lines.append(Content(reason))
    lines.append(_asked(row, seen, note, now))
    if row.running is not None:
        lines.append(Content.assemble("enter attaches: ", _state_words(row.running)))
    lines += _nodes(row, seen)
    lines += _last_run(row, now, told=bool(seen and seen.nodes))
    lines.append(Content(row.url))
    lines.append(Content.styled(str(row.path), "dim"))
    what = (
        "This cluster has a run under way: enter attaches to it, a second one would be refused."
        if row.running is not None
        else _NOTHING_CHANGES
    )
    return join([*lines, Content.styled(what, "dim")])


def _asked(row: ProfileRow, seen: Seen | None, note: str, now: float) -> Content:
    text = Content(version_of(row, seen))
    if seen is not None:
        if seen.old and seen.version:
            text += Content(f", told {since(now - seen.told)}")
        text += Content.styled(f"  asked {since(now - seen.asked)}", "dim")
    return text + Content.styled(f"  {note}", "$warning") if note else text


def since(seconds: float) -> str:
    """How long ago, in steps of five seconds: what changes is sent to the terminal."""
    if seconds < 5:
        return "just now"
    return f"{int(seconds // 5) * 5} s ago" if seconds < 60 else ago(seconds)


def _nodes(row: ProfileRow, seen: Seen | None) -> list[Content]:
    told = {node.name: node for node in (seen.nodes if seen else ())}
    silent = [name for name in row.nodes if name not in told]
    rows = sorted(told.values(), key=lambda node: node.health == "online")
    lines = []
    for node in rows[:_NODES]:
        glyph, word, style = HEALTH_MARKS.get(node.health, HEALTH_MARKS["unknown"])
        version = f"was {node.version}" if node.old and node.version else node.version
        # Of a node that does not answer the reason says more than the word, and there is one line.
        why = node.reason if node.health in ("unreachable", "other") and node.reason else word
        named = f"{node.name} {version or '?'} "
        lines.append(Content.assemble((f"{glyph} ", style), named, (why, style)))
    if len(rows) > _NODES:
        online = sum(node.health == "online" for node in rows[_NODES:])
        lines.append(Content(f"  and {len(rows) - _NODES} more, {online} of them online"))
    if silent:
        named = ", ".join(silent[:_NODES]) + (" …" if len(silent) > _NODES else "")
        why = " (asked by the cluster's address only)" if seen is not None else ""
        lines.append(Content.styled(f"nodes: {named}{why}", "dim"))
    return lines


def _last_run(row: ProfileRow, now: float, *, told: bool) -> list[Content]:
    """``told``: the nodes have told how they are themselves."""
    last = row.last
    if last is None:
        return [Content.styled("no run yet", "dim")]
    if last.alive:
        return []  # it is told above
    text = Content.assemble("last run ", _state_words(last))
    if last.started is not None:
        text += Content(f" {ago(now - last.started)}")
    if last.outage is not None:
        text += Content(f", outage {duration(last.outage)}")
    nodes = () if told else last.nodes[:_NODES]
    return [text, *(Content.styled(f"  {each}", "dim") for each in nodes)]


def _state_words(row: RunRow) -> Content:
    glyph, word, style = run_mark(row.state)
    if row.state == "held" and row.phase:
        word = f"held before {row.phase.replace('_', ' ')}"
    if row.gone:
        glyph, word, style = "✗", f"gone while {word}", "bold $error"
    if works(row) and row.state != "ready":
        word += f" {row.done / row.steps:.0%}"
    return Content.styled(f"{glyph} {word}", style)


def works(row: RunRow) -> bool:
    """Whether there is a share of its steps to tell."""
    return row.alive and not row.ended and bool(row.steps)


def run_widths(runs: Sequence[RunRow]) -> tuple[int, int]:
    """Cells that the runs' states and names take."""
    return (
        max((_state_words(row).cell_length for row in runs), default=0),
        min(_NAME, max((len(row.name) for row in runs), default=0)),
    )


def run_line(row: RunRow, now: float, widths: tuple[int, int]) -> Content:
    """A line of the runs. ``widths``: see ``run_widths``. What matters most comes first."""
    state = _state_words(row)
    pad = " " * (max(0, widths[0] - state.cell_length) + 2)
    versions = f"{row.from_version or '?'} → {row.to_version or '?'}"
    name = f"{shorten(row.name, _NAME):<{widths[1]}}"
    text = state + Content.assemble(pad, (name, "bold"), f" {versions:<27}")
    if row.out_since is not None and row.alive:
        text += Content.styled(f"  down {duration(now - row.out_since)}", "$warning")
    elif row.outage is not None:
        text += Content(f"  outage {duration(row.outage)}")
    if row.ends is not None:
        text += Content(f"  ends {clock(row.ends)[:5]}")
    if works(row):
        text += Content.styled(f"  {row.done} of {row.steps} steps", "dim")
    if row.started is not None:
        text += Content.styled(f"  {ago(now - row.started)}", "dim")
    if row.ended and row.started is not None and row.ended_at is not None:
        text += Content(f"  took {duration(row.ended_at - row.started)}")
    by = f"  by {row.by}" if row.by else ""
    return text + Content.styled(f"{by}  {row.run.run_id}", "dim")


def pulse_text(
    profiles: Sequence[ProfileRow], seen: Sequence[Seen | None], runs: Sequence[RunRow]
) -> Content:
    """All clusters together, and what the runs cost."""
    marks = [health_mark(row, each) for row, each in zip(profiles, seen, strict=True)]
    lines = [
        Content.styled(f"{glyph} {word}: {count}", style)
        for (glyph, word, style), count in Counter(marks).most_common()
    ]
    versions = Counter(each.version for each in seen if each is not None and each.version)
    if versions:
        lines.append(Content(""))
        lines += [Content(f"{version}: {count}") for version, count in versions.most_common(5)]
    ended = [row for row in runs if row.ended]
    if ended:
        bad = sum(row.state in ("failed", "rolled_back") for row in ended)
        lines += [Content(""), Content(f"runs ended: {len(ended)}")]
        lines.append(Content(f"failed or undone: {bad}"))
    outages = [row.outage for row in reversed(ended) if row.outage is not None]
    if outages:
        longest = max(outages) or 1.0
        bars = "".join(_BARS[round(each / longest * (len(_BARS) - 1))] for each in outages)
        lines.append(Content(f"outages {bars}, longest {duration(longest)}"))
    return join(lines)
