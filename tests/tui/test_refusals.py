"""What refused a run, and what of it a person may waive."""

from __future__ import annotations

from typing import Any

from octotui.tui.commands import BY_ID
from octotui.tui.consequences import waive
from octotui.tui.refusals import refusals, waivable
from octotui.tui.screens.report_text import report_text
from octotui.tui.screens.waive_text import waive_lines
from octotui.tui.situation import Situation
from octotui.view import RunView


def finding(check: str, result: str = "fail", **more: Any) -> dict[str, Any]:
    found = {"check": check, "result": result, "evidence": f"{check} saw it", "node": None,
             "fix": f"Mend {check}", "mandatory": False, "waived": False}  # fmt: skip
    return found | more


def refused(*findings: dict[str, Any]) -> Situation:
    return Situation(RunView(run="r", state="failed", outcome="refused", findings=list(findings)))


def view_of(situation: Situation) -> RunView:
    assert situation.view is not None
    return situation.view


def can_be_waived(situation: Situation) -> bool:
    return BY_ID["run.waive"].possible(situation)


DISK = finding("disk", node="N1", mandatory=True)


def test_a_check_is_named_once_with_all_it_found_and_what_is_mandatory_first() -> None:
    two = [finding("quota", node="N1"), finding("quota", node="N2")]
    found = refusals(view_of(refused(*two, DISK, finding("rights", "warn"), finding("age"))))
    assert [(of.check, of.mandatory, len(of.findings)) for of in found] == [
        ("disk", True, 1),
        ("quota", False, 2),
        ("age", False, 1),
    ]


def test_what_did_not_refuse_is_not_there_to_be_waived() -> None:
    view = view_of(refused(finding("a", "pass"), finding("b", "warn"), finding("c", waived=True)))
    assert waivable(view) == []
    assert waivable(view_of(refused(DISK, finding("age")))) == ["age"]


def test_waiving_is_possible_where_it_can_lead_on() -> None:
    assert can_be_waived(refused(finding("age")))
    assert can_be_waived(refused(DISK, finding("age")))
    assert not can_be_waived(refused(DISK))
    assert not can_be_waived(refused())
    going_on = RunView(state="ready", findings=[finding("age")])
    assert not can_be_waived(Situation(going_on, alive=True))


def test_what_still_refuses_is_named() -> None:
    alone = view_of(refused(finding("age")))
    assert waive(alone, ("age",)) == (
        "A new run begins that is not refused by age: it makes the checks again and waits for "
        "approval."
    )
    several = view_of(refused(DISK, finding("age"), finding("quota")))
    assert waive(several, ("age",)).endswith(" It is still refused unless disk and quota pass.")
    assert "not refused by age or quota:" in waive(several, ("age", "quota"))
    assert waive(several, ("age", "quota")).endswith(" unless disk passes.")


def test_several_can_be_waived_at_once_and_what_is_mandatory_cannot_be_chosen() -> None:
    lines = list(waive_lines(view_of(refused(finding("age"), DISK, finding("quota")))))
    assert [names for _, names in lines] == [(), ("age",), ("quota",), ("age", "quota")]
    mandatory, age = lines[0][0].plain, lines[1][0].plain
    assert mandatory.splitlines() == [
        "✗ disk  It is mandatory: no waiving leads past it.",
        "  N1: disk saw it",
        "  do: Mend disk",
    ]
    assert age.startswith("age\n  age saw it\n  do: Mend age\n  if chosen: A new run begins")


def test_of_many_nodes_the_first_are_told() -> None:
    nodes = [finding("quota", node=f"N{number}", evidence="full") for number in range(40)]
    [(text, _)] = waive_lines(view_of(refused(*nodes)))
    assert text.plain.count("full") == 3
    assert "and 37 more like these" in text.plain


def test_the_report_names_the_key_where_it_leads_on() -> None:
    words = report_text(view_of(refused(DISK, finding("age"), finding("quota"))), "", 78).plain
    assert "w goes on without age or quota." in words
    assert "goes on without" not in report_text(view_of(refused(DISK)), "", 78).plain
