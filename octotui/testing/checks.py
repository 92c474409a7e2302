"""The conformance suite for checks: derive from it, say which check, and run pytest.

    class TestMyCheck(CheckSuite):
        @pytest.fixture
        def check(self):
            return MyCheck()

What your check should find in which facts is for tests of your own, which
``octotui.testing.example_facts`` makes.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from octotui.api import Check, Finding
from octotui.api.facts import Facts
from octotui.testing.example_facts import (
    example_facts,
    with_cluster,
    with_database,
    with_node,
    without_node,
)
from octotui.testing.suite import Suite

RESULTS = ("pass", "warn", "fail", "skip")


class CheckSuite(Suite):
    """What every check must do, whatever it looks for."""

    @pytest.fixture
    def check(self) -> Check:
        """The check under test."""
        raise NotImplementedError("the fixture `check` is missing")

    def test_its_name_can_be_written_on_a_command_line(self, check: Check) -> None:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", check.name)

    def test_its_title_is_one_line(self, check: Check) -> None:
        assert check.title
        assert check.title.isprintable()

    def test_it_says_whether_it_is_mandatory(self, check: Check) -> None:
        assert check.mandatory is True or check.mandatory is False

    def test_a_cluster_without_a_flaw_is_not_refused(self, check: Check) -> None:
        for nodes in (1, 2, 5):
            results = [finding.result for finding in check.run(example_facts(nodes))]
            assert results
            assert "fail" not in results

    def test_it_always_comes_to_a_finding(self, check: Check) -> None:
        for name, facts in flawed_facts():
            assert list(check.run(facts)), f"no finding for {name}"

    def test_every_finding_can_be_understood(self, check: Check) -> None:
        for name, facts in [("no flaw", example_facts()), *flawed_facts()]:
            for finding in check.run(facts):
                assert finding.result in RESULTS, name
                assert finding.check == check.name, f"{name}: a finding of another check"
                assert finding.evidence.strip(), f"{name}: nothing says what was seen"
                assert finding.node in (None, facts.first_node, *facts.nodes), name
                assert not finding.link or finding.link.startswith("https://"), name
                if finding.result == "fail":
                    assert finding.fix.strip(), f"{name}: nothing says what to do about it"

    def test_the_same_facts_give_the_same_findings(self, check: Check) -> None:
        for name, facts in flawed_facts():
            before = copy.deepcopy(facts)
            first: list[Finding] = list(check.run(facts))
            assert list(check.run(facts)) == first, name
            assert facts == before, f"{name}: the check changed the facts"


def flawed_facts() -> Iterator[tuple[str, Facts]]:
    """Facts of clusters that are not well, each with its flaw's name."""
    facts = example_facts()
    nothing = {"cluster": "the API does not answer", "database": "nobody could be asked"}
    unread = without_node(without_node(facts, "OCTO1"), "OCTO2")
    yield "the API does not answer", replace(facts, cluster=None, problems=nothing)
    yield "a node that cannot be read", without_node(facts, "OCTO2")
    yield "no node that can be read", unread
    yield (
        "nothing that can be read",
        replace(unread, cluster=None, database=None, target=None, installed=None, problems=nothing),
    )
    yield "no node at all", replace(facts, nodes={})
    yield "no database", replace(facts, database=None)
    yield "a database that cannot be opened", with_database(facts, reachable=False, history=())
    yield "no package", replace(facts, target=None, installed=None)
    yield "a node without instances", with_node(facts, "OCTO1", instances=())
    yield "a node without drives", with_node(facts, "OCTO1", disks=())
    yield "a node with another version", with_node(facts, "OCTO2", version="2024.1.1")
    yield "a version that is none", with_cluster(facts, version="main-build")
    yield "a cluster without nodes", with_cluster(facts, nodes=())
