"""Random upgrades from a seed: faults, deaths of the runner, broken calls, people and strangers.

``python -m tests.support.seeds 1234`` replays one and prints what happened. The whole run is told
by the seed, so that one that fails is a test as it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from octotui.api.errors import ConnectionLost, OctotuiError, ServerError, TimedOut, Unreachable
from octotui.run.journal import Journal
from octotui.run.reading import ReadingJournal
from octotui.upgrade.phases import FINAL, HOLDABLE
from octotui.upgrade.plan import Options, SmokeTest
from octotui_lab.model.state import Durations
from tests.rehearsal import Killed, MortalJournal
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome
from tests.support.oracle import problems, rollback_problems, undisturbed_problems
from tests.support.port_estate import PortEstate, look_rarely, play_at_ports
from tests.support.ports import Moment

#: Runners that may carry one run on before it counts as stuck: faults have stopped by then.
CALM_LIVES = 8

NODE_FAULTS = (
    "msi-exit=1603,times=1",
    "msi-exit=1603",
    "msi-exit=1618,times=2",
    "msi-exit=3010",
    "msi-incomplete,times=1",
    "msi-incomplete",
    "service-stop-lies,times=1",
    "service-will-not-start,times=1",
    "service-will-not-start",
    "watchdog-restarts",
    "installer-busy,times=1",
    "slow=3",
)
CLUSTER_FAULTS = (
    "database:upgrade-fails,times=1",
    "database:upgrade-fails",
    "database:backup-fails,times=1",
    "database:backup-fails",
    "database:upgrade-slow=4",
    "cluster:slow-drain",
    "cluster:task-waits-for-person",
)
COMMANDS = ("rollback", "abort", "hold next", "release", "release all", "retry", "hold migrating")


class Chaos:
    """What happens to one estate, as a seed has it."""

    def __init__(self, estate: PortEstate, chance: random.Random) -> None:
        self.estate = estate
        self._chance = chance
        self._breaks = chance.choice((0.0, 0.0, 0.02, 0.1))
        self._strangers = chance.choice((0.0, 0.0, 0.003, 0.01))
        #: How likely somebody does something while no runner is there.
        self.strangers_about = 0.5 if self._strangers else 0.0
        self._live = False
        #: Whether what users open stays broken until faults stop.
        self.page_is_broken = chance.random() < 0.1
        #: When packages were replaced on nodes, and whether that was found too late.
        self._tampered: dict[str, float] = {}
        self.too_late = False
        self._migrated = False
        #: Whether anything happened that an upgrade need not succeed after.
        self.disturbed = False
        self.told: list[str] = []

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def say(self, what: str) -> None:
        self.told.append(f"{self.now:9.1f}  {what}")

    def ask(self, moment: Moment, call: str) -> None:
        """The ports' hook: breaks calls, and lets strangers act between them."""
        node = call.partition(" ")[0]
        if call.startswith("server smoke") and self.page_is_broken:
            raise ServerError("the page answers HTTP 500")
        if (moment, call) == ("before", f"{node} job-start stop"):
            self._judge_the_stop()
        if not self._live or node not in self.estate.machines:
            return
        if (moment, call) == ("after", f"{node} unpark") and self._chance.random() < 0.05:
            self.say(f"somebody: retunes {node}")
            self.disturbed = True
            self.estate.lab.set_start_type(node, "manual")
            self._answers_for("start-type")
        if moment == "before" and self._chance.random() < self._strangers:
            # Not at this very instant: nobody can see what happens between a look and its act.
            self.estate.lab.schedule.after(self._chance.uniform(0.01, 5.0), self.stranger)
        if self._chance.random() < self._breaks:
            self.say(f"breaks {moment} {call}")
            self.disturbed = True
            raise self._broken(moment, node)

    def _judge_the_stop(self) -> None:
        """A package that was replaced before the nodes were parked had to be found by now."""
        lab = self.estate.lab
        actions = lab.cluster.truth.actions
        if any(action["action"] == "service-stop" for action in actions):
            return
        parked = min((a["at"] for a in actions if a["action"] == "watchdog-disable"), default=0.0)
        self.too_late = self.too_late or any(
            machine.files.get(path) == "0" * 64 and when < parked
            for machine in self.estate.machines.values()
            for path, when in self._tampered.items()
        )

    def _broken(self, moment: Moment, node: str) -> OctotuiError:
        kinds: tuple[Callable[..., OctotuiError], ...] = (ConnectionLost, TimedOut)
        if moment == "before":
            kinds += (Unreachable,)
        return self._chance.choice(kinds)("the connection broke", node=node)

    def stranger(self) -> None:
        """Somebody else does something that breaks no rule by itself."""
        if not self._live:
            return
        lab = self.estate.lab
        done = {action["action"] for action in lab.cluster.truth.actions}
        # Before it the plan is not made, and maintenance mode is found as it is then.
        interferes = "stage" in done and "service-stop" not in done
        name = self._chance.choice(lab.node_names)
        node, machine = lab.cluster.nodes[name], self.estate.machines[name]
        deed = self._chance.choice(("start", "maintenance", "undrain", "tamper", "kill"))
        self.say(f"somebody: {deed} {name}")
        self.disturbed = True
        # A process that ends before its first heartbeat leaves no trace that anybody could find.
        fits = node.version == lab.cluster.database.schema_version and (
            lab.fault(name, "service-will-not-start") is None
        )
        if deed == "start" and fits and not (lab.cluster.database.upgrading_on or node.msi_running):
            if node.service.start_type == "disabled":
                lab.set_start_type(name, "manual")
                self._answers_for("start-type")
            lab.start_service(name, "somebody")
        elif deed == "maintenance" and interferes:
            lab.set_maintenance(False)
            self._answers_for("maintenance-off")
        elif deed == "undrain" and interferes:
            cap = lab.cluster.database.rows[name].task_cap
            lab.set_node(name, draining=False, task_cap=cap)
            self._answers_for("drain-off")
        elif deed == "tamper" and machine.files:
            path = self._chance.choice(sorted(machine.files))
            machine.files[path] = "0" * 64
            self._tampered[path] = self.estate.lab.schedule.now
        elif deed == "kill" and (program := next(iter(node.programs.values()), None)):
            lab.kill_process(name, program.id)

    def _answers_for(self, action: str) -> None:
        """Marks the newest change as a stranger's, so that nobody holds octotui to it."""
        actions = self.estate.lab.cluster.truth.actions
        if actions and actions[-1]["action"] == action:
            actions[-1]["detail"]["by"] = "somebody"

    def migrate_elsewhere(self, state: str) -> None:
        """Somebody upgrades the stopped cluster's database from a machine that we do not know."""
        cluster = self.estate.lab.cluster
        idle = all(
            node.service.state == "stopped" and not node.programs for node in cluster.nodes.values()
        )
        # Without a whole program left, nobody could tell what the database is now.
        told = any(node.version and not node.missing_files for node in cluster.nodes.values())
        if state == "rolling_back" and idle and told and not self._migrated:
            self.say("somebody upgrades the database from elsewhere")
            self.disturbed = True
            cluster.database.schema_version = TARGET
            cluster.database.history.insert(0, (TARGET, cluster.now))
            self._migrated = True

    async def beside(self, journal: Journal) -> None:
        """People, while a run is under way."""
        self._live = True
        for _ in range(self._chance.choice((0, 0, 0, 1, 2))):
            await asyncio.sleep(self._chance.uniform(1, 500))
            self.command(journal)

    def command(self, journal: Journal) -> None:
        command, _, argument = self._chance.choice(COMMANDS).partition(" ")
        if command == "hold" and argument == "next":
            argument = self._chance.choice(HOLDABLE)
        self.say(f"somebody commands {command} {argument}")
        self.disturbed = True
        journal.command(command, argument, "seed")

    def rest(self) -> None:
        """Faults stop, and what strangers did that only they can undo is put right."""
        self._live = False
        lab = self.estate.lab
        lab.cluster.faults.clear()
        self.page_is_broken = False
        if self._migrated:  # and restores it
            lab.cluster.database.schema_version = INSTALLED
            lab.cluster.database.history.pop(0)
        for name, machine in self.estate.machines.items():
            if machine.parked is None:
                lab.set_start_type(name, "automatic")
                self._answers_for("start-type")
        self.say("calm")


def deaths(chance: random.Random) -> Iterator[tuple[int, bool]]:
    """After how many writes each of the runners dies, and whether after or before the last."""
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        yield chance.randint(2, 160), chance.random() < 0.5


def _state(journal: Journal) -> str:
    """The state that a run that died was in."""
    last = ReadingJournal(journal.path, journal.run_id).last("state")
    return str(last.data["to"]) if last else "preflight"


def _waiting_in(outcome: Outcome) -> str:
    states = [event for event in outcome.events if event.kind == "state"]
    return str(states[-1].data["waiting_phase"]) if states else ""


async def _live(
    estate: PortEstate, chaos: Chaos, chance: random.Random, backs_out: bool
) -> Outcome:
    """Runners on one journal, until one ends the run or the chaos is over."""
    outcome: Outcome | None = None
    beside: asyncio.Future[None] | None = None
    for writes, after in deaths(chance):
        journal = MortalJournal(estate.journal(), writes, after)
        beside = asyncio.ensure_future(chaos.beside(journal))
        try:
            outcome = await estate.attempt(journal=journal, backs_out=backs_out)
        except Killed:
            chaos.say("the runner dies")
            await asyncio.sleep(chance.choice((0.0, 1.0, 40.0, 400.0)))
            if chance.random() < chaos.strangers_about:
                chaos.stranger()
            chaos.migrate_elsewhere(_state(journal))
            continue
        finally:
            beside.cancel()
        if outcome.state in (*FINAL, "refused"):
            return outcome
    for _ in range(chance.choice((1, 1, 2))):
        journal = estate.journal()
        beside = asyncio.ensure_future(chaos.beside(journal))
        try:
            outcome = await estate.attempt(journal=journal, backs_out=backs_out)
        finally:
            beside.cancel()
        if outcome.state in (*FINAL, "refused"):
            return outcome
        found = problems(estate, outcome)
        assert not found, found
        chaos.migrate_elsewhere(_waiting_in(outcome))
        if outcome.state == "needs_person" and chance.random() < 0.3:
            _answer(estate, chaos, chance, outcome)
    assert outcome is not None
    return outcome


def _answer(estate: PortEstate, chaos: Chaos, chance: random.Random, outcome: Outcome) -> None:
    """A person's decision about a run that waits."""
    failed = sorted(
        e.data["node"] for e in outcome.events
        if e.kind == "step.ended" and "error" in e.data and e.data["node"]
    )  # fmt: skip
    command, argument = chance.choice((("rollback", ""), ("abort", ""), ("leave-out", "failed")))
    if argument and not failed:
        return
    journal = estate.journal()
    journal.command(command, failed[-1] if argument else "", "seed")
    journal.close()
    chaos.say(f"decided: {command}")


async def _calm(estate: PortEstate, chaos: Chaos, outcome: Outcome, backs_out: bool) -> Outcome:
    """Once faults have stopped, resuming leads to an end within a few lives."""
    chaos.rest()
    for life in range(CALM_LIVES):
        if outcome.state in (*FINAL, "refused"):
            return outcome
        await asyncio.sleep(400.0)
        if life >= CALM_LIVES // 2 and "control run-1 rollback" in outcome.lines:
            # Somebody wrote to the database after the backup, or the like: going on stays refused.
            journal = estate.journal()
            journal.command("rollback", "", "seed")
            journal.close()
            chaos.say("decided: rollback")
        outcome = await estate.attempt(backs_out=backs_out)
        chaos.say(f"resumed: {outcome.state}")
    return outcome


def run_seed(seed: int, folder: Path, told: list[str] | None = None) -> Outcome:
    """Plays a seed and judges it. Raises AssertionError with everything that is wrong."""
    chance = random.Random(seed)
    nodes = chance.choice((1, 2, 2, 2, 3, 3, 4))
    faults = [
        f"node{chance.randint(1, nodes)}:{chance.choice(NODE_FAULTS)}"
        for _ in range(chance.choice((0, 0, 1, 1, 2)))
    ] + [chance.choice(CLUSTER_FAULTS) for _ in range(chance.choice((0, 0, 0, 1)))]
    options = Options(
        rollout=chance.choice(("first-node", "all-nodes")),
        reopen=chance.choice(("all-verified", "all-verified", "first-verified")),
        drain_policy=chance.choice(("wait", "wait", "cancel")),
        drain_deadline=900.0,
    )
    smoke = (SmokeTest("https://octopus.lab/app", 200),) if chance.random() < 0.5 else ()
    backs_out = chance.random() < 0.5
    durations = Durations(
        stop=chance.choice((3.0, 5.0, 15.0)),
        service_running=2.0,
        start=chance.choice((20.0, 60.0)),
        watchdog_interval=chance.choice((60.0, 300.0)),
    )

    async def play(estate: PortEstate) -> Outcome:
        chaos = Chaos(estate, chance)
        if told is not None:
            chaos.told = told
        chaos.say(f"{nodes} nodes, {faults}, {options}, backs_out={backs_out}")
        estate.hook = chaos.ask
        page_was_broken = chaos.page_is_broken
        outcome = await _live(estate, chaos, chance, backs_out)
        chaos.say(f"after the chaos: {outcome.state}")
        if smoke and chaos.page_is_broken and options.reopen == "all-verified":
            opened = [
                action
                for action in estate.lab.cluster.truth.actions
                if action["action"] == "maintenance-off" and not action["detail"].get("by")
                if estate.lab.cluster.database.schema_version == TARGET
            ]
            assert not opened, f"seed {seed}: users were let in to a page that is broken"
            assert outcome.state != "succeeded", f"seed {seed}: what users open is broken"
        outcome = await _calm(estate, chaos, outcome, backs_out)
        found = problems(estate, outcome)
        if not (faults or chaos.disturbed or (smoke and page_was_broken)):
            found += undisturbed_problems(outcome, options.reopen)
        if not chaos.disturbed and all(fault.startswith("database:") for fault in faults):
            found += rollback_problems(outcome)
        if chaos.too_late:
            found.append("a package that was replaced before the last look was found in the outage")
        if outcome.state not in (*FINAL, "refused") and outcome.last.kind != "run.refused":
            found.append(f"no end after faults have stopped: {outcome.lines}")
        assert not found, f"seed {seed}: {found}"
        return outcome

    return play_at_ports(
        folder,
        play,
        nodes=nodes,
        faults=faults,
        options=options,
        durations=durations,
        settings={"smoke": smoke},
        maintenance=chance.random() < 0.2,
    )


def main(seed: int) -> None:
    """Replays a seed, its story before its judgement."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCTOTUI_STATE_DIR", str(Path(folder) / "state"))
        look_rarely(patch)
        told: list[str] = []
        try:
            outcome = run_seed(seed, Path(folder) / "run", told)
        finally:
            print("\n".join(told))
        for event in outcome.events if "--events" in sys.argv else ():
            print(event.seq, round(event.at, 1), event.kind, event.data)
        print(outcome.lines)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(int(sys.argv[1]))
