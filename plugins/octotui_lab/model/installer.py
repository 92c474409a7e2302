"""Windows Installer on a node: what msiexec does, and its exit codes (``domain.md`` 8.1)."""

from __future__ import annotations

from collections.abc import Sequence

from octotui_lab.catalogue import LabPackage, version_key
from octotui_lab.model import program as programs
from octotui_lab.model import services
from octotui_lab.model.msi_arguments import MsiArguments, parse
from octotui_lab.model.program import Program, Run
from octotui_lab.model.state import PACKAGE_FILES, Cluster, Node
from octotui_lab.truth import took

FATAL = 1603
NOT_INSTALLED = 1605
BUSY = 1618
CANNOT_BE_OPENED = 1619
NO_VALID_PACKAGE = 1620
BAD_COMMAND_LINE = 1639
RESTART_BEGUN = 1641
RESTART_NEEDED = 3010
_RESTART_CODES = frozenset({RESTART_BEGUN, RESTART_NEEDED})
#: Codes that Windows gives before it has begun to do anything.
_AT_ONCE = frozenset({1605, BUSY, CANNOT_BE_OPENED, NO_VALID_PACKAGE, 1625, 1638})
#: How long msiexec takes to say no (lab seconds).
_REFUSAL = 1.0
#: The share of an installation after which one that fails is rolled back.
_FAILS_AT = 0.4

DISK_FULL_FREE = 64 * 1024**2


def start(
    cluster: Cluster, node: Node, arguments: Sequence[str], user: str, sha256: str | None
) -> Program:
    """Starts msiexec. ``sha256`` is of the file that ``/i`` names, None where there is none."""

    def work(program: Program) -> Run:
        # Another msiexec of this node holds the mutex; this one is not yet among its programs.
        if any(p.name == "msiexec" and p is not program for p in node.programs.values()):
            busy = True
        else:
            busy = cluster.faults.take(node.scope, "installer-busy") is not None
        parsed = parse(arguments)
        program.log.append("=== Verbose logging started ===")
        if busy:
            exit_code = yield from _refuse(program, BUSY, "Another installation is in progress.")
        elif parsed.package:
            exit_code = yield from _install(cluster, node, program, parsed, sha256)
        elif parsed.product_code:
            exit_code = yield from _uninstall(cluster, node, program, parsed)
        else:
            exit_code = yield from _refuse(program, BAD_COMMAND_LINE, "Invalid command line.")
        program.log.append(f"MainEngineThread is returning {exit_code}")
        return exit_code

    return programs.run(cluster, node, "msiexec", arguments, user, work)


def busy(cluster: Cluster, node: Node) -> bool:
    """Whether somebody holds Windows Installer's mutex."""
    return node.msi_running or cluster.faults.has(node.scope, "installer-busy")


def _install(
    cluster: Cluster, node: Node, program: Program, args: MsiArguments, sha256: str | None
) -> Run:
    if sha256 is None:
        return (yield from _refuse(program, CANNOT_BE_OPENED, "This package could not be opened."))
    package = cluster.catalogue.by_hash(sha256)
    cluster.rules.msi_installs(cluster, node, sha256, args)
    if package is None:
        return (yield from _refuse(program, NO_VALID_PACKAGE, "This is no valid package."))
    code = int(cluster.faults.take(node.scope, "msi-exit") or 0)
    if code in _AT_ONCE:
        return (yield from _refuse(program, code, "The installation was refused."))
    detail = {"version": package.version, "sha256": sha256, "arguments": list(program.arguments)}
    action = cluster.truth.act(cluster.now, node.name, "msi-install", **detail)
    duration = cluster.seconds(node, cluster.durations.msi)
    # Only the default instance's service is stopped by the package itself (domain.md 1.1).
    services.stop(cluster, node, "msi")
    if not code:
        code = _obstacle(cluster, node, package, program)
    if code and code not in _RESTART_CODES:
        yield duration * _FAILS_AT
        program.log.append("Action ended: InstallFinalize. Return value 3.")
        program.log.append("Rolling back the installation.")
        yield duration * _FAILS_AT
        return code
    yield duration
    took(action, cluster.now - action["at"])
    # Maintenance of what is installed copies nothing unless told to reinstall; told so of a package
    # that is not installed, Windows finds none of its features to reinstall.
    if ("REINSTALL" in args.properties) == (package.product_code == node.product_code):
        _take_effect(cluster, node, package)
    if code in _RESTART_CODES:
        node.pending_reboot.append("PendingFileRenameOperations")
    program.log.append("Installation completed successfully.")
    return code


def _obstacle(cluster: Cluster, node: Node, package: LabPackage, program: Program) -> int:
    """The code of what makes Windows Installer fail, 0 where nothing does."""
    if cluster.faults.has(node.scope, "disk-full"):
        program.log.append("Error 1304: there is not enough space on the disk.")
        return FATAL
    if node.version and version_key(package.version) < version_key(node.version):
        program.log.append("A newer version of Octopus Deploy Server is already installed.")
        return FATAL
    return 0


def _take_effect(cluster: Cluster, node: Node, package: LabPackage) -> None:
    cluster.rules.old_package_installed(cluster, node, package.version)
    node.version = package.version
    node.product_code = package.product_code
    node.signer = package.signer
    if package.version != cluster.initial_version:
        node.installs += 1
    node.missing_files = ()
    if cluster.faults.take(node.scope, "msi-incomplete") is not None:
        node.missing_files = tuple(f for f in PACKAGE_FILES if f == "Octopus.Core.dll")


def _uninstall(cluster: Cluster, node: Node, program: Program, args: MsiArguments) -> Run:
    if not node.product_code or args.product_code.lower() != node.product_code.lower():
        return (yield from _refuse(program, NOT_INSTALLED, "This product is not installed."))
    cluster.truth.act(
        cluster.now,
        node.name,
        "msi-uninstall",
        version=node.version,
        arguments=list(program.arguments),
    )
    services.stop(cluster, node, "msi")
    yield cluster.seconds(node, cluster.durations.msi) * _FAILS_AT
    # Only the install directory goes: home, configuration, registration and service stay.
    node.version = ""
    node.product_code = ""
    node.missing_files = ()
    program.log.append("Removal completed successfully.")
    return 0


def _refuse(program: Program, code: int, reason: str) -> Run:
    yield _REFUSAL
    program.log.append(reason)
    return code
