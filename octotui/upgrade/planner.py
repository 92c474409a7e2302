"""From facts to a plan: which steps, in which order, and how long they are expected to take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from octotui.api.facts import Facts, NodeFacts
from octotui.upgrade.estimating import estimate, foretold, measured
from octotui.upgrade.plan import Measure, Options, Plan, PlannedNode, SmokeTest
from octotui.upgrade.planned_step import PlannedStep

#: Typical seconds of what takes time (the downtime model; calibrated against the vendor's
#: "1 to 30 minutes", not measured), for as long as a cluster has no measures of its own. Everything
#: else is a call of about a second.
TYPICAL: Mapping[str, float] = {
    "download": 90.0,
    "stage": 30.0,  # two packages
    "wait-for-tasks": 30.0,
    "stop": 20.0,
    "backup": 60.0,
    "install-target": 75.0,
    "upgrade-database": 120.0,
    "serving": 60.0,
    "reinstall": 75.0,
}
CALL = 1.0


class _Builder:
    """Makes steps of one phase with ids that stay the same from release to release."""

    def __init__(self, phase: str) -> None:
        self.phase = phase

    def step(
        self,
        name: str,
        kind: str,
        title: str,
        node: str | None = None,
        after: Sequence[PlannedStep] = (),
    ) -> PlannedStep:
        return PlannedStep(
            id=f"{self.phase}.{name}" + (f"@{node}" if node else ""),
            kind=kind,
            phase=self.phase,
            title=title,
            node=node,
            after=tuple(step.id for step in after),
            seconds=TYPICAL.get(kind, CALL),
        )

    def chain(self, node: str | None, *links: tuple[str, str, str]) -> list[PlannedStep]:
        """Steps of one node, each after the one before: (name, kind, title)."""
        steps: list[PlannedStep] = []
        for name, kind, title in links:
            steps.append(self.step(name, kind, title, node, steps[-1:]))
        return steps


_INSTALL = ("install", "install-target", "install the new package")
_START = ("start", "start", "start the service")
_SERVING = ("serving", "serving", "wait until it serves the new version")
_UNPARK = ("unpark", "unpark", "start type and watchdog as found")
_UNDRAIN = ("undrain", "drain-as-found", "drain flag as found")
_UNSTAGE = ("unstage", "unstage", "remove the staged packages")
_CHECK = ("check", "check-as-found", "compare with what was found")
_KEEP_LOG = ("log", "keep-installer-log", "keep the installer's log")
_MAINTENANCE = ("maintenance", "maintenance-as-found", "maintenance mode as found")


def staging(nodes: Sequence[str]) -> Iterator[PlannedStep]:
    build = _Builder("staging")
    download = build.step("download", "download", "download the packages")
    yield download
    for node in nodes:
        stage = build.step("stage", "stage", "fetch the packages", node, [download])
        yield stage
        yield build.step("prove", "prove-staged", "prove hash and signature", node, [stage])


def maintenance() -> Iterator[PlannedStep]:
    yield _Builder("maintenance").step("on", "maintenance-on", "maintenance mode on")


def draining(nodes: Sequence[str]) -> Iterator[PlannedStep]:
    build = _Builder("draining")
    drains = [build.step("drain", "drain-on", "drain", node) for node in nodes]
    yield from drains
    yield build.step("wait", "wait-for-tasks", "wait for running tasks", None, drains)


def stopping(nodes: Sequence[str]) -> Iterator[PlannedStep]:
    build = _Builder("stopping")
    parks = [build.step("park", "park", "park service and watchdog", node) for node in nodes]
    yield from parks
    # Here, and not after the stop, where hashing on every node would be outage.
    proofs = [
        build.step("prove", "prove-staged", "prove the packages again", node, [park])
        for node, park in zip(nodes, parks, strict=True)
    ]
    yield from proofs
    ready = build.step(
        "ready", "ready-to-stop", "maintenance on, drained, no task runs", None, proofs
    )
    yield ready
    for node in nodes:
        yield build.step("stop", "stop", "stop and prove it", node, [ready])


def installing(nodes: Sequence[str], first: str, rollout: str) -> Iterator[PlannedStep]:
    build = _Builder("installing")
    # Both before any installer runs: they ask the program that it replaces for the database. Side
    # by side, since each takes seconds of outage and no node starts within them.
    noted = build.step("last-seen", "note-last-seen", "note when every node was last seen")
    begin = build.step("backup-begin", "begin-backup", "begin the backup")
    yield from (noted, begin)
    yield build.step("backup", "backup", "back up the database and verify it", None, [begin])
    for node in nodes if rollout == "all-nodes" else (first,):
        yield build.step(*_INSTALL, node, [noted, begin])


def migrating(first: str) -> Iterator[PlannedStep]:
    yield _Builder("migrating").step(
        "database", "upgrade-database", "upgrade the database once", first
    )


def starting(first: str, reopen: str) -> Iterator[PlannedStep]:
    build = _Builder("starting")
    chain = build.chain(first, _START, _SERVING, _UNPARK)
    yield from chain
    if reopen == "first-verified":
        undrain = build.step(*_UNDRAIN, first, chain[-1:])
        yield undrain
        yield build.step(*_MAINTENANCE, None, [undrain])


def joining(others: Sequence[PlannedNode], rollout: str) -> Iterator[PlannedStep]:
    build = _Builder("joining")
    install = () if rollout == "all-nodes" else (_INSTALL,)
    for node in others:
        start = (_START, _SERVING) if node.running else ()
        yield from build.chain(node.name, *install, *start, _UNPARK)


def finishing(nodes: Sequence[str], smoke: bool) -> Iterator[PlannedStep]:
    build = _Builder("finishing")
    undrains = [build.step(*_UNDRAIN, node) for node in nodes]
    yield from undrains
    before = undrains
    if smoke:
        before = [build.step("smoke", "smoke", "test what users open", None, undrains)]
        yield from before
    for node in nodes:
        yield from build.chain(node, _CHECK, _KEEP_LOG, _UNSTAGE)
    yield build.step(*_MAINTENANCE, None, before)


def rolling_back(nodes: Sequence[PlannedNode]) -> Iterator[PlannedStep]:
    """The way back without a restore, from wherever the upgrade stopped."""
    build = _Builder("rolling_back")
    schema = build.step("schema", "prove-schema-unchanged", "prove the database unchanged")
    yield schema
    reinstalls = [
        build.step("reinstall", "reinstall", "the old package back", node.name, [schema])
        for node in nodes
    ]
    yield from reinstalls
    serving = []
    for node in nodes:
        if node.running:
            start = build.step(*_START, node.name, reinstalls)
            title = "wait until it serves the old version"
            serving.append(build.step("serving", "serving", title, node.name, [start]))
            yield from (start, serving[-1])
    undrains = []
    for node in nodes:
        own = [step for step in serving if step.node == node.name]
        unpark = build.step(*_UNPARK, node.name, own or reinstalls)
        # Drain flags are set through the first node, which may be the last to serve.
        undrain = build.step(*_UNDRAIN, node.name, [unpark, *serving])
        check = build.step(*_CHECK, node.name, [undrain])
        log = build.step(*_KEEP_LOG, node.name, [check])
        yield from (unpark, undrain, check, log, build.step(*_UNSTAGE, node.name, [log]))
        undrains.append(undrain)
    yield build.step(*_MAINTENANCE, None, undrains)


def make_plan(
    facts: Facts,
    *,
    cluster_url: str,
    instances: Mapping[str, str],
    urls: Mapping[str, str],
    options: Options,
    smoke: Sequence[SmokeTest],
    measures: Mapping[str, Measure],
) -> Plan:
    """The plan for facts whose mandatory checks passed.

    ``instances`` and ``urls`` are the profile's, by node name. ``measures`` are of past runs of
    this cluster, by names of steps.
    """
    cluster = facts.cluster
    assert cluster is not None, "a plan needs the cluster's facts"
    assert facts.target is not None, "a plan needs a target"
    by_name = {node.name: node for node in cluster.nodes}
    nodes = []
    for name, read in facts.readable_nodes.items():
        instance = next(i for i in read.instances if i.name == instances[name])
        member = by_name[instance.node_name]
        nodes.append(
            PlannedNode(
                name=name,
                instance=instance.name,
                node_id=member.id,
                url=urls.get(name, ""),
                draining=member.draining,
                version=read.version,
                install_directory=read.install_directory,
                running=_runs(read, instance.name),
            )
        )
    names = [node.name for node in nodes]
    first = facts.first_node
    others = [node for node in nodes if node.name != first]
    steps = (
        *staging(names),
        *maintenance(),
        *draining(names),
        *stopping(names),
        *installing(names, first, options.rollout),
        *migrating(first),
        *starting(first, options.reopen),
        *(joining(others, options.rollout) if others else ()),
        *finishing(names, bool(smoke)),
    )
    known = foretold(steps, measures)
    steps = measured(steps, known)
    return Plan(
        cluster_url=cluster_url,
        installation_id=cluster.installation_id,
        from_version=cluster.version,
        to_version=facts.target.version,
        first_node=first,
        nodes=tuple(nodes),
        target=facts.target,
        installed=facts.installed,
        maintenance=cluster.maintenance,
        options=options,
        smoke=tuple(smoke),
        steps=steps,
        estimate=estimate(steps, options.reopen, known),
        measures=known,
    )


def _runs(node: NodeFacts, instance: str) -> bool:
    return any(s.instance == instance and s.state == "running" for s in node.services.services)
