"""What each check finds in which facts: one case a line of thought."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from octotui.api.facts import Disk, Facts, InstalledVersion, Instance, License
from octotui.testing.example_facts import (
    TARGET,
    example_facts,
    example_instance,
    example_package,
    with_cluster,
    with_database,
    with_node,
    without_node,
)
from octotui_checks.plugin import octotui_checks

CHECKS = {check.name: check for check in octotui_checks()}

GIB = 1024**3
FINE = example_facts()
#: The members of the example's cluster as the cluster summary lists them.
ONE, TWO = FINE.cluster.nodes if FINE.cluster else ()
THREE = replace(ONE, id="OctopusServerNodes-OCTO3", name="OCTO3")


@dataclass(frozen=True)
class Case:
    """Facts, and what the check must find: result, node, and words of the evidence or the fix."""

    check: str
    title: str
    facts: Facts
    finds: tuple[tuple[str, str | None, tuple[str, ...]], ...]


def case(
    check: str,
    title: str,
    facts: Facts,
    result: str,
    *words: str,
    node: str | None = None,
) -> Case:
    return Case(check, title, facts, ((result, node, words),))


def silent(facts: Facts) -> Facts:
    """The API does not answer."""
    why = "connection refused by octopus.example.com."
    return replace(facts, cluster=None, target=None, problems={"cluster": why, "target": "unknown"})


def drives(*disks: Disk) -> Facts:
    return with_node(example_facts(1), "OCTO1", disks=disks)


def database(server: str, name: str = "Octopus", facts: Facts = FINE, node: str = "OCTO2") -> Facts:
    """A node's only instance on another database."""
    instance = replace(example_instance(node), database_server=server, database_name=name)
    return with_node(facts, node, instances=(instance,))


def neighbour(server: str, name: str, node_name: str) -> Facts:
    """A second instance on OCTO2."""
    other = replace(
        example_instance(node_name), name="Test", database_server=server, database_name=name
    )
    return with_node(FINE, "OCTO2", instances=(example_instance("OCTO2"), other))


def serving(state: str, node: str) -> Facts:
    """A node's service in another state."""
    known = FINE.readable_nodes[node].services
    (service,) = known.services
    changed = replace(known, services=(replace(service, state=state),))  # type: ignore[arg-type]
    return with_node(FINE, node, services=changed)


def license_of(compliant: bool | None, **more: str) -> Facts:
    license = License(compliant, "3 of 2 nodes are used.", "2027-06-30")
    return with_cluster(FINE, license=license, **more)


def instance_on(server: str, node_name: str) -> Instance:
    return replace(example_instance(node_name), database_server=server)


def at_address(facts: Facts, address: str) -> Facts:
    """The cluster's database is named by its address on every node."""
    for node in facts.nodes:
        facts = with_node(facts, node, instances=(instance_on(address, node),))
    return facts


def foreign_first(server: str) -> Facts:
    """A single server whose host lists another cluster's instance before ours."""
    test = replace(instance_on("sql2.example.com", "TEST1"), name="Test")
    test = replace(test, database_name="OctopusTest")
    facts = with_node(example_facts(1), "OCTO1", instances=(test, example_instance("OCTO1")))
    return with_database(facts, server=server)


(SERVICE,) = FINE.readable_nodes["OCTO1"].services.services

EVERYTHING = ("install", "home", "staging")
#: Staging (both packages of 1.4 GB twice) 5.2, installation 5, home 2 GiB.
ALL_ON_ONE = 5 * GIB + 2 * GIB + 4 * 1_400_000_000

CASES = [
    Case(
        "nodes-reachable",
        "all answer",
        FINE,
        (
            ("pass", "OCTO1", ("WIN-OCTO1 answers", "elevated")),
            ("pass", "OCTO2", ("WIN-OCTO2",)),
        ),
    ),
    Case(
        "nodes-reachable",
        "one does not",
        without_node(FINE, "OCTO2"),
        (("pass", "OCTO1", ()), ("fail", "OCTO2", ("no connection was made", "firewall"))),
    ),
    Case(
        "nodes-reachable",
        "one refuses the account",
        without_node(FINE, "OCTO1", "CredentialsRefused"),
        (("fail", "OCTO1", ("account and password",)), ("pass", "OCTO2", ())),
    ),
    Case(
        "nodes-reachable",
        "one grants too little",
        with_node(FINE, "OCTO2", elevated=False),
        (("pass", "OCTO1", ()), ("fail", "OCTO2", ("EXAMPLE\\octopus-upgrade", "Administrators"))),
    ),
    case("versions", "one version, a newer target", FINE, "pass", "2025.2.13071", TARGET),
    case(
        "versions",
        "a node with other binaries",
        with_node(FINE, "OCTO2", version="2025.2.13099"),
        "fail",
        "2025.2.13099 is installed",
        "cluster runs 2025.2.13071",
        node="OCTO2",
    ),
    case(
        "versions",
        "a node whose binaries tell no version",
        with_node(FINE, "OCTO1", version=""),
        "fail",
        "cannot be read",
        node="OCTO1",
    ),
    case(
        "versions",
        "a node that still runs another version",
        with_cluster(FINE, nodes=(ONE, replace(TWO, version="2025.2.13099"))),
        "fail",
        "not on OCTO2 (2025.2.13099)",
    ),
    case(
        "versions",
        "what an offline node once ran does not count",
        with_cluster(FINE, nodes=(ONE, replace(TWO, version="2024.1.1", offline=True))),
        "pass",
    ),
    case(
        "versions",
        "servers that do not tell their nodes' versions",
        with_cluster(FINE, nodes=(replace(ONE, version=""), replace(TWO, version=""))),
        "pass",
    ),
    case(
        "versions",
        "the target is installed",
        replace(FINE, target=example_package("2025.2.13071")),
        "fail",
        "2025.2.13071 is installed already",
        "choose a newer target",
    ),
    case(
        "versions",
        "the target is older, though greater as text",
        replace(FINE, target=example_package("2025.2.9999")),
        "fail",
        "2025.2.9999 is older than 2025.2.13071",
        "cannot be downgraded",
    ),
    case(
        "versions",
        "no package",
        replace(FINE, target=None, problems={"target": "version 2025.9.1 is not offered."}),
        "fail",
        "there is no package to install: version 2025.9.1 is not offered",
    ),
    case(
        "versions",
        "a newer year with a smaller build",
        replace(FINE, target=example_package("2026.2.1")),
        "pass",
        "2026.2.1 is newer",
    ),
    case(
        "versions",
        "a target that is no release",
        replace(FINE, target=example_package("2026.1.0-beta")),
        "fail",
        "the target '2026.1.0-beta' is not year.minor.build",
        "Choose a released version",
    ),
    case("versions", "the API is silent", silent(FINE), "fail", "unknown: connection refused"),
    case("way-back", "the old package is there", FINE, "pass", "2025.2.13071 can be had"),
    case(
        "way-back",
        "the old package is gone",
        replace(FINE, installed=None, problems={"installed": "2025.2.13071 is not offered."}),
        "fail",
        "2025.2.13071 cannot be had: 2025.2.13071 is not offered; once",
        "no way back",
        "--waive way-back",
    ),
    case("way-back", "the API is silent", silent(FINE), "skip", "see versions"),
    case("cluster-nodes", "the same nodes", FINE, "pass", "OCTO1 and OCTO2"),
    case(
        "cluster-nodes",
        "a service that is starting on OCTO1",
        serving("starting", "OCTO1"),
        "fail",
        "service OctopusDeploy is starting",
        "Wait",
        node="OCTO1",
    ),
    case(
        "cluster-nodes",
        "a service that is stopping on OCTO2",
        serving("stopping", "OCTO2"),
        "fail",
        "service OctopusDeploy is stopping",
        "Wait",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "the first node is stopped",
        serving("stopped", "OCTO1"),
        "fail",
        "Octopus Server does not run",
        "[upgrade] first",
        node="OCTO1",
    ),
    case(
        "cluster-nodes",
        "the instances that are meant run",
        replace(FINE, instances={"OCTO1": "OctopusServer", "OCTO2": "OctopusServer"}),
        "pass",
    ),
    case("cluster-nodes", "another node is stopped", serving("stopped", "OCTO2"), "pass"),
    case(
        "cluster-nodes",
        "the profile means another instance of the host than the cluster does",
        replace(FINE, instances={"OCTO1": "OctopusServer", "OCTO2": "Reporting"}),
        "fail",
        "instance Reporting",
        "is not the cluster's: OctopusServer",
        "Correct the node's instance",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "a live node that nobody named",
        with_cluster(FINE, nodes=(ONE, TWO, THREE)),
        "fail",
        "live nodes",
        "OCTO3 (last seen 2026-01-01)",
    ),
    case(
        "cluster-nodes",
        "an offline node that nobody named",
        with_cluster(FINE, nodes=(ONE, TWO, replace(THREE, offline=True))),
        "warn",
        "offline nodes",
        "OCTO3",
        "Make sure that they stay off",
    ),
    case(
        "cluster-nodes",
        "a node of the profile that the cluster sees offline",
        with_cluster(FINE, nodes=(ONE, replace(TWO, offline=True))),
        "warn",
        "sees OCTO2 (last seen 2026-01-01) as offline",
        "Start its service",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "the machine's name is no node's name",
        with_node(
            with_cluster(FINE, nodes=(ONE, replace(TWO, name="OctopusNode2"))),
            "OCTO2",
            computer="OCTO2",
            instances=(example_instance("OctopusNode2"),),
        ),
        "pass",
    ),
    case(
        "cluster-nodes",
        "a host of another cluster",
        database("sql9.example.com", facts=with_cluster(FINE, nodes=(ONE,))),
        "fail",
        "the cluster does not know OCTO2 (instance OctopusServer)",
        "this is another cluster's",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "a host without Octopus",
        with_node(with_cluster(FINE, nodes=(ONE,)), "OCTO2", instances=()),
        "fail",
        "no Octopus instance on WIN-OCTO2",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "one host under two names",
        with_node(
            with_cluster(FINE, nodes=(ONE,)), "OCTO2", instances=(example_instance("OCTO1"),)
        ),
        "fail",
        "says it is OCTO1, and so does OCTO1",
        "Name each host once",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "a foreign instance beside ours",
        neighbour("sql2.example.com", "OctopusTest", "TEST1"),
        "fail",
        "foreign instance",
        "Test uses the database octopustest on sql2.example.com",
        "the cluster uses octopus on sql1.example.com",
        "to a host of its own",
        node="OCTO2",
    ),
    *(
        case(
            "cluster-nodes",
            f"another cluster's instance beside ours: {what}",
            neighbour(server, name, "TEST1"),
            "fail",
            "foreign instance: instance Test uses",
            "an MSI replaces the binaries of both",
            "Move that instance",
            node="OCTO2",
        )
        for what, server, name in (
            ("another database of the same server", "sql1.example.com", "OctopusTest"),
            ("another port of the same machine", "sql1.example.com,1500", "Octopus"),
            ("another SQL instance of the same machine", "sql1.example.com\\second", "Octopus"),
            ("another machine of the same domain", "sql2.example.com", "Octopus"),
            ("a machine of this name in another domain", "sql1.example.org", "Octopus"),
            ("a port of this machine", ".,1500", "Octopus"),
        )
    ),
    case(
        "cluster-nodes",
        "another cluster's instance beside ours: another address",
        with_database(
            with_node(
                at_address(FINE, "10.0.0.1"),
                "OCTO2",
                instances=(
                    instance_on("10.0.0.1", "OCTO2"),
                    replace(instance_on("10.0.0.2", "TEST1"), name="Test"),
                ),
            ),
            server="10.0.0.1",
        ),
        "fail",
        "instance Test uses the database octopus on 10.0.0.2, the cluster uses octopus on 10.0.0.1",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "the database that jobs were asked about is ours, whatever else the host lists first",
        foreign_first("sql1.example.com"),
        "fail",
        "instance Test uses the database octopustest on sql2.example.com, "
        "the cluster uses octopus on sql1.example.com",
        node="OCTO1",
    ),
    case(
        "cluster-nodes",
        "the database that jobs were asked about is on the first node itself",
        with_node(foreign_first("(local)"), "OCTO1", computer="SQL1.example.com"),
        "fail",
        "instance Test uses the database octopustest on sql2.example.com, "
        "the cluster uses octopus on sql1.example.com",
        node="OCTO1",
    ),
    case(
        "cluster-nodes",
        "the database that most nodes use is ours where none could be asked",
        replace(neighbour("sql2.example.com", "OctopusTest", "TEST1"), database=None),
        "fail",
        "instance Test uses the database octopustest",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "the instance that is meant is stopped, another one of the host runs",
        with_node(
            replace(FINE, instances={"OCTO1": "OctopusServer"}),
            "OCTO1",
            services=replace(
                FINE.readable_nodes["OCTO1"].services,
                services=(
                    replace(SERVICE, state="stopped"),
                    replace(SERVICE, name="OctopusDeploy: Test", instance="Test"),
                ),
            ),
        ),
        "fail",
        "instance OctopusServer does not run, and this node upgrades the database",
        "[upgrade] first",
        node="OCTO1",
    ),
    case(
        "cluster-nodes",
        "no node could be read",
        without_node(without_node(FINE, "OCTO1"), "OCTO2"),
        "skip",
        "no node could be read, see nodes-reachable",
    ),
    case(
        "cluster-nodes",
        "the first node could not be read",
        without_node(FINE, "OCTO1"),
        "skip",
        "OCTO1 (last seen 2026-01-01) may be OCTO1",
    ),
    case(
        "cluster-nodes",
        "a foreign instance with our node's and our database's name",
        neighbour("sql2.example.com", "Octopus", "OCTO2"),
        "fail",
        "foreign instance",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "one server, spelled in four ways",
        database("tcp:SQL1.EXAMPLE.COM,1433", "OCTOPUS"),
        "pass",
    ),
    case("cluster-nodes", "one server, without its domain", database("sql1"), "pass"),
    case(
        "cluster-nodes",
        "this machine's own server",
        database("(local)", facts=with_node(FINE, "OCTO2", computer="SQL1"), node="OCTO2"),
        "pass",
    ),
    case(
        "cluster-nodes",
        "each node's own server at the same port is not one server",
        with_database(
            with_node(
                at_address(FINE, "WIN-OCTO1,1500"),
                "OCTO2",
                instances=(instance_on("(local),1500", "OCTO2"),),
            ),
            server="(local),1500",
        ),
        "warn",
        "octopus on win-octo2,1500, the cluster uses octopus on win-octo1,1500",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "one server at a port, with and without its domain and its name",
        with_database(
            with_node(
                at_address(FINE, "WIN-OCTO1.example.com,1500"),
                "OCTO1",
                instances=(instance_on("localhost,1500", "OCTO1"),),
            ),
            server=".,1500",
        ),
        "pass",
    ),
    case(
        "cluster-nodes",
        "perhaps one server under another name",
        database("octopus-listener"),
        "warn",
        "octopus on octopus-listener",
        "octopus on sql1.example.com",
        "both names lead to the same SQL Server",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "another SQL instance is another server, perhaps",
        database("sql1.example.com\\second"),
        "warn",
        node="OCTO2",
    ),
    case(
        "cluster-nodes",
        "which node it is that cannot be read, nobody knows",
        without_node(FINE, "OCTO2"),
        "skip",
        "OCTO2 (last seen 2026-01-01) may be OCTO2",
    ),
    case("cluster-nodes", "the API is silent", silent(FINE), "skip", "does not answer"),
    case(
        "disk-space",
        "just enough for everything on one drive",
        drives(Disk("C:\\", ALL_ON_ONE, 2 * ALL_ON_ONE, EVERYTHING)),
        "pass",
        "12.2 GiB needed for the installation, the home directory and packages",
        node="OCTO1",
    ),
    case(
        "disk-space",
        "one byte short",
        drives(Disk("C:\\", ALL_ON_ONE - 1, 2 * ALL_ON_ONE, EVERYTHING)),
        "fail",
        "C:\\ has 12.2 GiB free",
        node="OCTO1",
    ),
    Case(
        "disk-space",
        "drives of their own",
        drives(
            Disk("C:\\", 20 * GIB, 60 * GIB, ("install", "staging")),
            Disk("D:\\", GIB, 60 * GIB, ("home",)),
            Disk("E:\\", 0, 60 * GIB, ()),
        ),
        (
            ("fail", "OCTO1", ("D:\\ has 1.0 GiB free, 2.0 GiB needed", "Free 1.0 GiB")),
            ("pass", "OCTO1", ("C:\\ has 20.0 GiB",)),
        ),
    ),
    case(
        "disk-space",
        "packages of unknown size",
        replace(drives(Disk("C:\\", 14 * GIB, 60 * GIB, EVERYTHING)), target=None, installed=None),
        "fail",
        "15.0 GiB needed",
        node="OCTO1",
    ),
    case(
        "disk-space",
        "a home that no drive is told of",
        drives(Disk("C:\\", 60 * GIB, 90 * GIB, ("install", "staging"))),
        "warn",
        "which drive holds the home directory",
        "See for yourself",
        node="OCTO1",
    ),
    case(
        "disk-space",
        "nothing was read",
        without_node(example_facts(1), "OCTO1"),
        "skip",
        "nodes-reachable",
    ),
    case("license", "compliant", FINE, "pass", "expires 2027-06-30", f"up to {TARGET}"),
    case(
        "license",
        "not compliant",
        license_of(False),
        "fail",
        "3 of 2 nodes are used; expires 2027-06-30",
        "Install a licence",
    ),
    case("license", "not told", license_of(None), "warn", "would not say", "in the portal"),
    case(
        "license",
        "maintenance may not cover the target",
        license_of(True, covered_version="2025.3.14287"),
        "warn",
        "may need a renewed licence",
        "release date",
        "covers versions up to 2025.3.14287",
    ),
    case(
        "license",
        "a later patch of a covered minor is free",
        license_of(True, covered_version="2025.4.1"),
        "pass",
    ),
    case("license", "the API is silent", silent(FINE), "skip", "versions"),
    case(
        "database-rights",
        "db_owner",
        FINE,
        "pass",
        "EXAMPLE\\octopus-upgrade is db_owner of Octopus on sql1.example.com",
        node="OCTO1",
    ),
    case(
        "database-rights",
        "not db_owner",
        with_database(FINE, db_owner=False),
        "fail",
        "is not db_owner",
        "[jobs] run_as",
        node="OCTO1",
    ),
    case(
        "database-rights",
        "no way in",
        with_database(FINE, reachable=False, db_owner=False, problem="Login failed for user 'X'."),
        "fail",
        "cannot open Octopus on sql1.example.com: Login failed for user 'X'",
        node="OCTO1",
    ),
    case(
        "database-rights",
        "no history to prove anything by",
        with_database(FINE, history=()),
        "fail",
        "does not tell which version upgraded it last",
        node="OCTO1",
    ),
    case(
        "database-rights",
        "a database that is further than the cluster",
        with_database(FINE, history=(InstalledVersion("2025.3.14287", "2025-11-01"),)),
        "fail",
        "last upgraded by 2025.3.14287, the cluster runs 2025.2.13071",
        node="OCTO1",
    ),
    case(
        "database-rights",
        "nobody could be asked",
        replace(FINE, database=None, problems={"database": "no answer within 120 s."}),
        "fail",
        "could not be asked for: no answer within 120 s",
        node="OCTO1",
    ),
    case(
        "database-rights",
        "the first node cannot be read",
        replace(without_node(FINE, "OCTO1"), database=None),
        "skip",
        "nodes-reachable",
        node="OCTO1",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.title}")
def test_check(case: Case) -> None:
    findings = list(CHECKS[case.check].run(case.facts))
    assert [(f.result, f.node) for f in findings] == [(r, n) for r, n, _ in case.finds], findings
    for finding, (_, _, words) in zip(findings, case.finds, strict=True):
        told = f"{finding.evidence} | {finding.fix}"
        assert not [word for word in words if word not in told], told


HIGH_AVAILABILITY = "https://octopus.com/docs/administration/high-availability/maintain/"
UPGRADING = "https://octopus.com/docs/administration/upgrading"
PAGES = {
    "nodes-reachable": UPGRADING,
    "versions": UPGRADING,
    "cluster-nodes": f"{HIGH_AVAILABILITY}maintain-high-availability-nodes",
    "disk-space": "https://octopus.com/docs/installation/requirements",
    "license": UPGRADING,
    "database-rights": "https://octopus.com/docs/installation/"
    "permissions-for-the-octopus-windows-service",
    "way-back": UPGRADING,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.title}")
def test_a_finding_says_what_to_do_and_where_to_read(case: Case) -> None:
    for finding in CHECKS[case.check].run(case.facts):
        assert finding.link == PAGES[case.check]
        if finding.result in ("warn", "fail"):
            assert finding.fix


def test_a_host_without_octopus_is_not_called_another_clusters() -> None:
    """Who corrects the URL of the API because of a wrong host upgrades another cluster."""
    facts = with_node(with_cluster(FINE, nodes=(ONE,)), "OCTO2", instances=())
    (finding,) = CHECKS["cluster-nodes"].run(facts)
    assert finding.fix == "Correct the node's host in the profile"


def test_a_node_that_was_never_seen_has_no_time() -> None:
    facts = with_cluster(FINE, nodes=(ONE, TWO, replace(THREE, last_seen="")))
    (finding,) = CHECKS["cluster-nodes"].run(facts)
    assert finding.evidence.endswith("that the profile does not name: OCTO3")


def test_a_drive_is_not_charged_for_what_an_upgrade_does_not_put_there() -> None:
    purposes = ("home", "backup")
    facts = drives(
        Disk("C:\\", 20 * GIB, 60 * GIB, ("install", "staging")),
        Disk("D:\\", 2 * GIB, 60 * GIB, purposes),
    )
    (finding,) = CHECKS["disk-space"].run(facts)
    assert finding.result == "pass", finding.evidence


@pytest.mark.parametrize("check", CHECKS)
def test_there_is_a_case_of_success_and_one_of_refusal(check: str) -> None:
    results = {found[0] for case in CASES if case.check == check for found in case.finds}
    assert {"pass", "fail"} <= results
