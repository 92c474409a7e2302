"""The bundle's own page: what is in it, what is not and why, and what to do before it goes on."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator

from octotui.report.bundle.known import Known
from octotui.report.bundle.writer import BundleWriter

#: What each part is; the longest beginning of a name that fits counts.
_PARTS = {
    "report.md": "the run told from its beginning to its end",
    "journal/events.jsonl": "everything the run did and saw, one event a line",
    "journal/commands.jsonl": "how people steered it",
    "journal/request.json": "what was asked for",
    "findings.json": "what the checks said",
    "plan.json": "what was planned",
    "facts.json": "the cluster and its nodes as they were last read",
    "versions.json": "octotui, its plugins, Python, this system",
    "profile.toml": "the profile; it holds references to secrets, and none of them",
    "runner.log": "what the run's process said outside of its journal",
    "logs/": "what nodes and the run itself wrote, Windows Installer's logs among them",
    "server/": "Octopus Server's own system report, unpacked",
}

_LINES = textwrap.TextWrapper(
    92,
    initial_indent="  ",
    subsequent_indent="    ",
    break_long_words=False,
    break_on_hyphens=False,
)


def page(bundle: BundleWriter, known: Known | None, head: str, made: float) -> Iterator[str]:
    """The lines of README.txt."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(made))
    yield f"Support bundle of octotui, made {stamp}\n\n{head}\n\n"
    yield (
        "Please look through it before you hand it on. Secrets are masked as ***, but names of\n"
        "hosts, accounts, folders and projects are not, and nothing can recognise every secret.\n"
    )
    yield "\nWhat is in it\n\n"
    for name, meaning in _PARTS.items():
        members = [member for member in bundle.members if member.name.startswith(name)]
        if members:
            yield f"  {name:<24}{meaning}\n"
        yield from (f"    {m.name}: {m.note}\n" for m in members if m.note)
    yield "  manifest.json           size and SHA-256 of every file\n"
    yield "\nWhat is not in it, and why\n\n"
    for missing in bundle.missing:
        yield f"{_LINES.fill(f'{missing.what}: {missing.why}.')}\n"
    if not bundle.missing:
        yield "  Nothing is missing.\n"
    yield "\nWhat was masked\n\n"
    yield from _masked(known)


def _masked(known: Known | None) -> Iterator[str]:
    yield "  By its looks: API keys, passwords, tokens, master and private keys.\n"
    if known is None or (known.text is None or known.why):
        why = known.why if known else "the run does not say which profile it was for"
        yield f"  Nothing by the profile's own secrets ({why}).\n"
    else:
        found = ", ".join(known.looked_up) or "none"
        yield f"  The profile's secrets, wherever they stood: {found}.\n"
        for name, why in known.unknown.items():
            yield f"  Not by {name} ({why}). The run masked it in its own journal and logs.\n"
