"""The simulation at the ports tells the same story as the one that speaks the real protocols."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from octotui.upgrade.plan import Options
from octotui_lab.model.state import Durations
from tests.rehearsal import CHANGES, quick, rehearse_one
from tests.simulated_upgrade import Outcome
from tests.support.port_estate import port_run

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")


def story(outcome: Outcome) -> dict[str, Any]:
    """What an operator and the cluster would remember, without times.

    Nodes work side by side, so that only each node's own order is compared.
    """
    told: dict[str, Any] = {"outcome": outcome.state, "exit": outcome.code, "steps of None": []}
    for event in outcome.events:
        if event.kind == "step.ended":
            told.setdefault(f"steps of {event.data['node']}", []).append(
                (event.data["step"], event.data["outcome"], event.data["attempt"])
            )
        if event.kind == "state":
            told.setdefault("states", []).append(event.data["to"])
        if event.kind == "finding":
            told.setdefault("findings", []).append(
                (event.data["check"], event.data["node"], event.data["result"])
            )
    for action in outcome.truth["actions"]:
        if action["action"] in CHANGES | {"stage", "serving", "service-stopped"}:
            told.setdefault(f"changes of {action['node']}", []).append(action["action"])
    told["steps of None"].sort()  # the cluster's own ones run beside each other, too
    told["violations"] = Counter(v["rule"] for v in outcome.truth["violations"])
    told["failures"] = sorted(
        (event.data["step"], event.data["error"]["what"].partition(":")[0])
        for event in outcome.events
        if event.kind == "step.ended" and "error" in event.data
    )
    return told


@pytest.mark.parametrize(
    ("faults", "options"),
    [
        ([], {}),
        ([], {"rollout": "all-nodes", "reopen": "first-verified"}),
        (["database:upgrade-fails"], {}),
        (["database:backup-fails"], {"rollout": "all-nodes"}),
        (["node2:msi-exit=1603"], {}),
        (["node1:msi-exit=1603"], {"rollout": "all-nodes"}),
        (["node2:msi-exit=1618,times=2"], {"rollout": "all-nodes"}),
        (["node2:msi-incomplete"], {"rollout": "all-nodes"}),
        (["node1:msi-exit=3010"], {}),
        (["node1:service-stop-lies,times=1"], {}),
        (["node2:service-will-not-start"], {}),
        (["node1:watchdog-restarts"], {}),
        (["cluster:unknown-node"], {}),
        (["node2:disk-full"], {}),
        (["database:down"], {}),
    ],
    ids=str,
)
def test_the_same_story(tmp_path: Path, faults: list[str], options: dict[str, Any]) -> None:
    wanted: dict[str, Any] = {"nodes": 2, "faults": faults, "options": Options(**options)}
    wired = story(rehearse_one(tmp_path / "wire", **wanted))
    direct = story(port_run(tmp_path / "ports", durations=Durations(), **wanted))
    assert direct == wired
