"""Every check of ours keeps what a check promises, whatever the facts are."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octotui.api.facts import Facts, NodeFacts, NodeProblem, Services
from octotui.testing.checks import CheckSuite, flawed_facts
from octotui.testing.example_facts import example_facts
from octotui_checks.plugin import octotui_checks

CHECKS = octotui_checks()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
class TestOurChecks(CheckSuite):
    pass


def test_the_six_are_mandatory_and_named_for_good() -> None:
    assert [check.name for check in CHECKS if check.mandatory] == [
        "nodes-reachable",
        "versions",
        "cluster-nodes",
        "disk-space",
        "license",
        "database-rights",
    ]


def test_a_standard_test_is_not_dropped_in_silence() -> None:
    with pytest.raises(TypeError, match=r"replaces test_its_title_is_one_line without a reason"):
        type("Less", (CheckSuite,), {"test_its_title_is_one_line": None})
    explained = {
        "test_its_title_is_one_line": None,
        "replaced": {"test_its_title_is_one_line": "titles come from elsewhere"},
    }
    type("Explained", (CheckSuite,), explained)


def results(facts: Facts) -> list[str]:
    return [finding.result for check in CHECKS for finding in check.run(facts)]


def test_a_cluster_without_a_flaw_passes_everything() -> None:
    assert set(results(example_facts(nodes=4))) == {"pass"}


@pytest.mark.parametrize("facts", [pytest.param(facts, id=flaw) for flaw, facts in flawed_facts()])
def test_what_could_not_be_judged_is_no_permission(facts: Facts) -> None:
    """A check may skip only because another has failed."""
    found = results(facts)
    if "skip" in found:
        assert "fail" in found


WORDS = ["", "OCTO1", "OCTO2", "2025.2.13071", "2025.4.10428", "main", "sql1,1433", "\\0"]
texts = st.sampled_from(WORDS) | st.text(max_size=6)
st.register_type_strategy(str, texts)
st.register_type_strategy(int, st.integers(-(2**70), 2**70))
nodes_read = st.builds(NodeFacts, services=st.just(Services((), ())))
nodes_unread = st.builds(NodeProblem)
any_facts = st.builds(
    Facts,
    nodes=st.dictionaries(st.sampled_from(WORDS), nodes_read | nodes_unread, max_size=3),
    problems=st.dictionaries(st.sampled_from(["cluster", "database", "target"]), texts, max_size=2),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_facts)
def test_no_facts_can_make_a_check_raise(facts: Facts) -> None:
    for check in CHECKS:
        findings = list(check.run(facts))
        assert findings
        assert all(finding.evidence for finding in findings)
        assert all(finding.fix for finding in findings if finding.result == "fail")
    found = results(facts)
    if "skip" in found or facts.cluster is None or facts.database is None or facts.target is None:
        assert "fail" in found
