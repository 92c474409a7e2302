"""How the screens write times, states and phases."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from textual.content import Content

from octotui.upgrade.phases import BY_NAME

#: A state's glyph, word and style. Never the colour alone: without it the two others remain.
STEP_MARKS: Final = {
    "pending": ("⋅", "to do", "dim"),
    "running": ("▶", "running", "$accent"),
    "done": ("✓", "done", "$success"),
    "already": ("✓", "was so", "$success"),
    "failed": ("✗", "FAILED", "bold $error"),
    "interrupted": ("✗", "INTERRUPTED", "bold $error"),
}

FINDING_MARKS: Final = {
    "fail": ("✗", "FAIL", "bold $error"),
    "warn": ("!", "warn", "$warning"),
    "skip": ("⋅", "skip", "dim"),
    "pass": ("✓", "pass", "$success"),
}

SERVING_MARKS: Final = {
    True: ("✓ serving", "$success"),
    False: ("○ stopped", "$warning"),
    None: ("? unknown", "dim"),
}

#: A run's state as a word with its glyph.
RUN_MARKS: Final = {
    "succeeded": ("✓", "succeeded", "bold $success"),
    "failed": ("✗", "failed", "bold $error"),
    "refused": ("✗", "refused", "bold $error"),
    "aborted": ("✗", "aborted", "$warning"),
    "rolled_back": ("✗", "rolled back", "$warning"),
    "held": ("!", "held", "bold $warning"),
    "needs_person": ("!", "needs a person", "bold $error"),
    "ready": ("!", "waits for approval", "bold $warning"),
}


def run_mark(state: str) -> tuple[str, str, str]:
    """Glyph, words and style of a run's state."""
    return RUN_MARKS.get(state, ("▶", state.replace("_", " "), "$accent"))


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours: 0:07, 12:30, 1:02:03."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def is_late(taken: float, expected: float) -> bool:
    """Whether what took, or takes, so long is worth a word; seconds.

    Half of all runs take longer than a median or a typical value: being a little over is nothing.
    """
    return taken > expected * 1.25 and taken - expected > 5


def minutes(seconds: float) -> str:
    """How long, in a word that stands still for a minute: what ticks is sent every second."""
    whole = int(seconds // 60)
    hours, rest = divmod(whole, 60)
    if hours:
        return f"{hours} h {rest:02} min"
    return f"{whole} min" if whole else "under a minute"


def clock(at: float) -> str:
    """The local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def date_and_time(at: float) -> str:
    """The local date and time of day, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def ago(seconds: float) -> str:
    """How long ago, in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def phase_title(name: str) -> str:
    """A phase in words: its name and what happens in it."""
    phase = BY_NAME.get(name)
    return f"{name.replace('_', ' ')} ({phase.title})" if phase else name.replace("_", " ")


def phase_names(names: Iterable[str]) -> str:
    """Phases in a row."""
    return ", ".join(name.replace("_", " ") for name in names)


def join(lines: list[Content]) -> Content:
    """Lines below each other."""
    return Content("\n").join(lines)


def shorten(text: str, width: int) -> str:
    """The beginning of a text, with a mark where it was cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
