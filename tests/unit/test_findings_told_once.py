"""What is wrong with a node is told once: its name, what happened, and what to do about it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octotui.api.errors import OctotuiError, Unreachable
from octotui.api.facts import NodeProblem
from octotui.run.findings import run_checks
from octotui.run.gather import Wanted, gather
from octotui.upgrade.steps.base import World
from octotui_checks.nodes_reachable import NodesReachableCheck


class Gone:
    """A node, or the cluster itself, that does not answer."""

    name = "OCTO3"

    def __init__(self, error: OctotuiError) -> None:
        self._error = error

    async def facts(self) -> Any:
        raise self._error


@pytest.mark.parametrize("what", ["OCTO3 refuses the connection", "no route to the host"])
async def test_a_node_out_of_reach_is_named_once_and_advised_once(what: str) -> None:
    error = Unreachable(what, node="OCTO3", next_step="Check that WinRM listens on port 5986")
    world = SimpleNamespace(clock=time, server=Gone(error), nodes={"OCTO3": Gone(error)})
    facts = await gather(cast(World, world), Wanted("latest", "OCTO3", {}, "none"), "run-1")
    assert isinstance(facts.nodes["OCTO3"], NodeProblem)
    judged = run_checks(facts, [(NodesReachableCheck(), "checks")])
    assert len(judged) == 1
    text = judged[0].as_text()
    assert text.count("OCTO3") == 1
    assert text.count("Check that WinRM listens on port 5986") == 1
    assert "firewall" not in text, "the error's own advice is the better one"
