"""Every dangerous change of a plan is noticed by the random runs alone.

Each row is a step that was dropped, hurried (begun before what it has to wait for) or doubled, and
the seed that notices it. ``python -m tests.support.plan_mutants 200`` looks for the seeds anew,
where a change of the random runs made other ones of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plan_mutants import mutants, mutated
from tests.support.port_estate import rarely
from tests.support.seeds import run_seed

__all__ = ["rarely"]
pytestmark = pytest.mark.usefixtures("rarely")

NOTICED = {
    ("dropped", "staging.download"): 1,
    ("doubled", "staging.download"): 0,
    ("dropped", "staging.stage"): 1,
    ("hurried", "staging.stage"): 19,
    ("doubled", "staging.stage"): 0,
    ("dropped", "staging.prove"): 0,
    ("hurried", "staging.prove"): 22,
    ("doubled", "staging.prove"): 0,
    ("dropped", "maintenance.on"): 22,
    ("doubled", "maintenance.on"): 0,
    ("dropped", "draining.drain"): 22,
    ("doubled", "draining.drain"): 0,
    ("dropped", "draining.wait"): 22,
    ("doubled", "draining.wait"): 0,
    ("dropped", "stopping.park"): 5,
    ("doubled", "stopping.park"): 0,
    ("dropped", "stopping.prove"): 116,
    ("hurried", "stopping.prove"): 58,
    ("doubled", "stopping.prove"): 0,
    ("dropped", "stopping.ready"): 33,
    ("hurried", "stopping.ready"): 58,
    ("doubled", "stopping.ready"): 0,
    ("dropped", "stopping.stop"): 22,
    ("hurried", "stopping.stop"): 40,
    ("doubled", "stopping.stop"): 0,
    ("dropped", "installing.last-seen"): 19,
    ("doubled", "installing.last-seen"): 0,
    ("dropped", "installing.backup-begin"): 22,
    ("doubled", "installing.backup-begin"): 0,
    ("dropped", "installing.backup"): 22,
    ("hurried", "installing.backup"): 22,
    ("doubled", "installing.backup"): 0,
    ("dropped", "installing.install"): 22,
    ("hurried", "installing.install"): 0,
    ("doubled", "installing.install"): 0,
    ("dropped", "migrating.database"): 22,
    ("doubled", "migrating.database"): 2,
    ("dropped", "starting.start"): 22,
    ("doubled", "starting.start"): 2,
    ("dropped", "starting.serving"): 16,
    ("doubled", "starting.serving"): 2,
    ("dropped", "starting.unpark"): 2,
    ("doubled", "starting.unpark"): 2,
    ("dropped", "starting.undrain"): 25,
    ("doubled", "starting.undrain"): 25,
    ("dropped", "starting.maintenance"): 25,
    ("hurried", "starting.maintenance"): 25,
    ("doubled", "starting.maintenance"): 25,
    ("dropped", "joining.install"): 2,
    ("doubled", "joining.install"): 2,
    ("dropped", "joining.start"): 22,
    ("hurried", "joining.start"): 2,
    ("doubled", "joining.start"): 2,
    ("dropped", "joining.serving"): 2,
    ("hurried", "joining.serving"): 34,
    ("doubled", "joining.serving"): 2,
    ("dropped", "joining.unpark"): 2,
    ("hurried", "joining.unpark"): 2,
    ("doubled", "joining.unpark"): 2,
    ("dropped", "finishing.undrain"): 2,
    ("doubled", "finishing.undrain"): 2,
    ("dropped", "finishing.smoke"): 77,
    ("doubled", "finishing.smoke"): 4,
    ("dropped", "finishing.check"): 29,
    ("doubled", "finishing.check"): 2,
    ("dropped", "finishing.log"): 2,
    ("doubled", "finishing.log"): 2,
    ("dropped", "finishing.unstage"): 2,
    ("doubled", "finishing.unstage"): 2,
    ("dropped", "finishing.maintenance"): 2,
    ("hurried", "finishing.maintenance"): 77,
    ("doubled", "finishing.maintenance"): 2,
    ("dropped", "rolling_back.schema"): 196,
    ("doubled", "rolling_back.schema"): 0,
    ("dropped", "rolling_back.reinstall"): 0,
    ("hurried", "rolling_back.reinstall"): 60,
    ("doubled", "rolling_back.reinstall"): 0,
    ("hurried", "rolling_back.start"): 0,
    ("doubled", "rolling_back.start"): 0,
    ("hurried", "rolling_back.serving"): 18,
    ("doubled", "rolling_back.serving"): 0,
    ("dropped", "rolling_back.unpark"): 0,
    ("hurried", "rolling_back.unpark"): 1,
    ("doubled", "rolling_back.unpark"): 0,
    ("dropped", "rolling_back.undrain"): 0,
    ("hurried", "rolling_back.undrain"): 18,
    ("doubled", "rolling_back.undrain"): 0,
    ("dropped", "rolling_back.check"): 36,
    ("hurried", "rolling_back.check"): 18,
    ("doubled", "rolling_back.check"): 0,
    ("dropped", "rolling_back.log"): 0,
    ("hurried", "rolling_back.log"): 0,
    ("doubled", "rolling_back.log"): 0,
    ("dropped", "rolling_back.unstage"): 0,
    ("hurried", "rolling_back.unstage"): 0,
    ("doubled", "rolling_back.unstage"): 0,
    ("dropped", "rolling_back.maintenance"): 1,
    ("hurried", "rolling_back.maintenance"): 18,
    ("doubled", "rolling_back.maintenance"): 0,
    ("dropped", "rolling_back.start"): 339,
    ("dropped", "rolling_back.serving"): 253,
}

#: Changes that harm nobody, each with its reason.
HARMLESS = {
    ("hurried", "draining.wait"): "tasks are counted while nodes begin to drain, and once more",
    ("hurried", "starting.serving"): "it waits longer, and sees the same",
    ("hurried", "starting.unpark"): "the first node may be started again by itself while it starts",
    ("hurried", "starting.undrain"): "the API it needs is that of the first node, which must serve",
    ("hurried", "finishing.smoke"): "pages are open to a node that is drained, too",
    ("hurried", "finishing.log"): "a log may be kept before anything is compared",
    ("hurried", "finishing.unstage"): "no package is needed any more",
}


def test_every_change_is_noticed_or_known_to_be_harmless() -> None:
    assert set(mutants()) == NOTICED.keys() | HARMLESS.keys()
    assert not NOTICED.keys() & HARMLESS.keys()


@pytest.mark.parametrize(("mutation", "step"), NOTICED, ids=lambda part: str(part))
def test_a_changed_plan_is_noticed(tmp_path: Path, mutation: str, step: str) -> None:
    with mutated(mutation, step), pytest.raises(Exception):  # noqa: B017
        run_seed(NOTICED[mutation, step], tmp_path)
