"""What the choice of checks to waive says, made from the view alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from textual.content import Content

from octotui.tui.consequences import waive
from octotui.tui.refusals import Refusal, refusals, waivable
from octotui.tui.words import FINDING_MARKS, join
from octotui.view import RunView

#: Of a check that refused for more nodes than this the first are told: the report has all.
_TOLD: Final = 3


def waive_lines(view: RunView) -> Iterator[tuple[Content, tuple[str, ...]]]:
    """What refused, each with the names that choosing it waives: none where it is mandatory.

    After several that may be waived there is a last one for all of them.
    """
    for refusal in refusals(view):
        if refusal.mandatory:
            yield _mandatory(refusal), ()
        else:
            yield _choice(view, refusal.check, _findings(refusal), (refusal.check,))
    names = tuple(waivable(view))
    if len(names) > 1:
        yield _choice(view, "all that may be waived", [], names)


def _choice(
    view: RunView, title: str, found: list[Content], names: tuple[str, ...]
) -> tuple[Content, tuple[str, ...]]:
    leads_to = Content.assemble(("  if chosen: ", "bold"), waive(view, names))
    return join([Content.styled(title, "bold"), *found, leads_to]), names


def _mandatory(refusal: Refusal) -> Content:
    glyph, _, style = FINDING_MARKS["fail"]
    head = Content.assemble(
        (f"{glyph} ", style),
        (refusal.check, "bold"),
        "  It is mandatory: no waiving leads past it.",
    )
    return join([head, *_findings(refusal)])


def _findings(refusal: Refusal) -> list[Content]:
    """What was seen, where, and what to do about it."""
    lines = [line for finding in refusal.findings[:_TOLD] for line in _finding(finding)]
    if more := len(refusal.findings[_TOLD:]):
        lines.append(Content(f"  and {more} more like these, all of them in the report"))
    return lines


def _finding(finding: Mapping[str, Any]) -> Iterator[Content]:
    node, evidence = finding["node"], finding["evidence"]
    where = f"{node}: " if node and not evidence.startswith(node) else ""
    yield Content(f"  {where}{evidence}")
    if finding["fix"]:
        yield Content.assemble(("  do: ", "bold"), finding["fix"])
