"""The agent's calls in a real PowerShell: requests, answers, facts, files, parking."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from octotui.api.facts import FileProof, LocalAnswer, NodeFacts, Parked, Services
from octotui.windows.conversion import convert
from tests.powershell_host import AGENT, PREPARE, Node, find_powershell, running_node

pytestmark = pytest.mark.powershell

SIGNER = "CN=Octopus Lab Publisher, O=Octopus Lab"


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("a node")) as running:
        yield running


@pytest.fixture
def node(_running: Node) -> Node:
    _running.reset()
    return _running


def test_scripts_keep_to_windows_powershell_5() -> None:
    command = [find_powershell(), "--check", AGENT, PREPARE]
    checked = subprocess.run(command, capture_output=True, text=True)
    if checked.returncode == 64:
        pytest.skip("this PowerShell has no checker for what Windows PowerShell 5.1 knows")
    assert (checked.returncode, "nothing found" in checked.stdout) == (0, True), checked.stdout


# -- requests ----------------------------------------------------------------------------------


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "no request"),
        (["", " "], "no request"),
        (["not base64!"], "not base64"),
        ([base64.b64encode(b"\xff\xfe{}").decode()], "not base64 of UTF-8"),
        ([base64.b64encode(b'{"password": hunter2').decode()], "not JSON"),
        ([encoded([1])], "not an object"),
        ([encoded({"run": ""})], "parameters is missing"),
        ([encoded({"run": "", "parameters": []})], "parameters is not an object"),
    ],
)
def test_a_request_that_is_none_is_refused(node: Node, lines: list[str], why: str) -> None:
    error = node.call_raw("services", *lines).error
    assert error["code"] == "bad-request"
    assert why in error["message"]
    assert "hunter2" not in json.dumps(error)


@pytest.mark.parametrize("operation", ["format-disk", "", "Services"])
def test_only_the_listed_operations_exist(node: Node, operation: str) -> None:
    assert node.call(operation).error["code"] == "bad-request"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("prove-file", {"path": "/x", "sha256": "00"}),
        ("prove-file", {"path": 1, "sha256": "00", "signer": ""}),
        ("log", {"path": "/x", "limit": "many"}),
        ("unstage", {"file_names": "x.msi"}),
        ("unstage", {"file_names": [1]}),
        ("unstage", {"file_names": ["../agent.ps1"]}),
        ("job-status", {"id": "../x", "offset": 0, "wait": 0}),
        ("job-status", {"id": "x", "offset": -1, "wait": 0}),
        ("job-start", {"id": "x", "kind": "stop", "parameters": {}}),
        (
            "job-start",
            {"id": "x", "kind": "reboot", "parameters": {}, "run_as": {"kind": "system"}},
        ),
        ("job-start", {"id": "x", "kind": "stop", "parameters": {}, "run_as": {"kind": "root"}}),
        ("job-start", {"id": "X", "kind": "stop", "parameters": {}, "run_as": {"kind": "system"}}),
    ],
)
def test_a_wrong_parameter_is_refused(
    node: Node, operation: str, parameters: dict[str, object]
) -> None:
    request = encoded({"run": "", "parameters": parameters})
    assert node.call_raw(operation, request).error["code"] == "bad-request"
    assert not (node.octotui / "jobs" / "x").exists()


def test_a_request_may_come_in_several_lines(node: Node) -> None:
    text = encoded({"run": "r", "parameters": {}})
    assert node.call_raw("services", text[:10], text[10:]).result["processes"] == []


def test_an_answer_is_ascii_and_keeps_every_character(node: Node) -> None:
    node.configure(**{"Octopus.Server.NodeName": 'Knöchel "€" \U0001f419\x7f'})
    assert node.call("facts").result["instances"][0]["node_name"] == 'Knöchel "€" \U0001f419\x7f'


# -- facts and services ------------------------------------------------------------------------


def test_facts_are_what_the_types_say(node: Node) -> None:
    node.write("processes", "12 C:\\x\\Octopus.Server.exe database --upgrade\n")
    node.write("processes", '9 "C:\\a b\\Octopus.Server.exe" run --instance=X\n12 x.exe database\n')
    facts = convert({**node.call("facts").result, "node": "OCTO1"}, NodeFacts)
    assert facts.computer == "OCTO1"
    assert (facts.identity, facts.elevated) == ("example\\admin", True)
    assert facts.boot_time == 1000.0
    assert facts.install_directory == str(node.install_directory)
    assert facts.version == "2025.2.13071"
    assert facts.signer == SIGNER
    assert facts.product_code == "{14DB4D69-F879-4444-9752-106160B64C40}"
    (instance,) = facts.instances
    assert (instance.database_server, instance.database_name) == ("sql.example.com", "Octopus")
    assert instance.listen_prefixes == ("http://+:1/", "https://octopus.example.com/")
    assert [(p.process_id, p.verb) for p in facts.services.processes] == [
        (9, "run"),
        (12, "database"),
    ]
    disks = {disk.name: disk.purposes for disk in facts.disks}
    assert disks == {"C:": ("install", "home"), f"{node.program_data}/": ("staging",)}
    assert (facts.pending_reboot, facts.installer_busy) == ((), False)


def test_facts_never_hold_the_connection_string(node: Node) -> None:
    answer = node.call("facts").stdout
    assert "a;b" not in answer
    assert "Password" not in answer


def test_facts_name_what_stands_in_the_way(node: Node) -> None:
    node.set_registry(pending_reboot=True)
    node.write("not-elevated")
    facts = node.call("facts").result
    assert facts["pending_reboot"] == ["Component Based Servicing"]
    assert facts["elevated"] is False


def test_a_host_without_octopus_is_not_installed(node: Node) -> None:
    node.set_registry(installed=False)
    assert node.call("facts").error["code"] == "not-installed"
    assert node.call("services").answer["ok"]


@pytest.mark.parametrize("text", ["ERROR no", '{"Octopus.Home": hunter2}', "{"])
def test_a_configuration_that_cannot_be_read_is_not_repeated(node: Node, text: str) -> None:
    node.write("configuration", text)
    error = node.call("facts").error
    assert error["code"] == "failed"
    assert "OctopusServer" in error["message"]
    assert "hunter2" not in json.dumps(error)


def test_services_are_sorted_and_only_stopped_counts_as_stopped(node: Node) -> None:
    node.service("OctopusDeploy: Second", "Second Instance", "paused", "automatic-delayed")
    node.service("Another", "Third", "stopped", "disabled")
    services = convert(node.call("services").result, Services)
    assert [(s.name, s.instance, s.state, s.start_type) for s in services.services] == [
        ("Another", "Third", "stopped", "disabled"),
        ("OctopusDeploy", "OctopusServer", "running", "automatic"),
        ("OctopusDeploy: Second", "Second Instance", "running", "automatic-delayed"),
    ]


# -- prove-file --------------------------------------------------------------------------------


def package(node: Node, content: bytes = b"package", signer: str = SIGNER) -> tuple[Path, str]:
    file = node.root / "x.msi"
    file.write_bytes(content)
    file.with_name("x.msi.signer").write_text(signer)
    return file, hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("wanted", ["same-as-installed", SIGNER])
def test_a_file_is_proved_by_hash_signature_and_signer(node: Node, wanted: str) -> None:
    file, sha256 = package(node)
    answer = node.call("prove-file", path=str(file), sha256=sha256.upper(), signer=wanted)
    proof = convert(answer.result, FileProof)
    assert (proof.proved, proof.reasons, proof.size) == (True, (), 7)
    assert (proof.sha256, proof.signature, proof.signer) == (sha256, "Valid", SIGNER)


def test_a_file_is_not_proved_for_each_reason(node: Node) -> None:
    file, sha256 = package(node, signer="CN=Somebody")

    def reasons(sha256: str, signer: str) -> str:
        result = node.call("prove-file", path=str(file), sha256=sha256, signer=signer).result
        assert result["proved"] is (not result["reasons"])
        return " ".join(result["reasons"])

    assert "hash" in reasons("00", "CN=Somebody")
    assert "signer is CN=Somebody" in reasons(sha256, "same-as-installed")
    # Distinguished names are compared exactly.
    assert "signer" in reasons(sha256, "CN=somebody")
    node.write("signer", "")
    assert "not signed" in reasons(sha256, "same-as-installed")
    package(node, signer="")
    assert "signature is NotSigned" in reasons(sha256, SIGNER)


def test_a_file_that_is_not_there_is_no_error(node: Node) -> None:
    proof = node.call("prove-file", path=str(node.root / "no.msi"), sha256="0", signer="x").result
    assert (proof["exists"], proof["proved"]) == (False, False)


# -- park and unpark ---------------------------------------------------------------------------


def start_types(node: Node) -> dict[str, str]:
    return {f.parent.name: f.read_text() for f in (node.world / "services").glob("*/start_type")}


def test_parking_and_unparking_puts_back_what_was_found(node: Node) -> None:
    node.service("OctopusDeploy: Two", "Two", "stopped", "automatic-delayed")
    node.service("OctopusDeploy: Three", "Three", "stopped", "disabled")
    node.task("Octopus Watchdog Two", enabled=False)
    node.task("Unrelated", enabled=True)
    before = start_types(node)
    parked = convert(node.call("park").result, Parked)
    assert [(s.name, s.state) for s in parked.services] == [
        ("OctopusDeploy", "running"),
        ("OctopusDeploy: Three", "stopped"),
        ("OctopusDeploy: Two", "stopped"),
    ]
    assert set(start_types(node).values()) == {"disabled"}
    assert node.read("tasks/Octopus Watchdog OctopusServer") == "false"
    assert node.read("tasks/Unrelated") == "true"
    assert convert(node.call("park").result, Parked) == parked
    assert convert(node.call("unpark").result, Parked) == parked
    assert start_types(node) == before
    assert node.read("tasks/Octopus Watchdog OctopusServer") == "true"
    assert node.read("tasks/Octopus Watchdog Two") == "false"
    assert node.call("unpark").result == {"services": [], "watchdog": []}


def test_a_call_killed_after_writing_is_made_good_by_the_next(node: Node) -> None:
    node.octotui.mkdir()
    found = {
        "services": [
            {
                "name": "OctopusDeploy",
                "instance": "OctopusServer",
                "state": "running",
                "start_type": "automatic-delayed",
            }
        ],
        "watchdog": [{"name": "Octopus Watchdog OctopusServer", "enabled": True}],
    }
    (node.octotui / "parked.json").write_text(json.dumps(found))
    assert node.call("park").result == found
    assert start_types(node) == {"OctopusDeploy": "disabled"}
    assert node.read("tasks/Octopus Watchdog OctopusServer") == "false"
    assert node.call("unpark").result == found
    assert start_types(node) == {"OctopusDeploy": "automatic-delayed"}


@pytest.mark.parametrize("denied", ["sc-denies", "tasks-deny"])
def test_what_was_found_is_written_down_before_anything_changes(node: Node, denied: str) -> None:
    node.write(denied, "yes")
    assert node.call("park").error["code"] == "not-elevated"
    kept = json.loads((node.octotui / "parked.json").read_text())
    assert kept["services"][0]["start_type"] == "automatic"


def test_a_service_that_is_gone_does_not_keep_the_others_parked(node: Node) -> None:
    node.service("OctopusDeploy: Two", "Two")
    node.call("park")
    for file in (node.world / "services" / "OctopusDeploy: Two").iterdir():
        file.unlink()
    (node.world / "services" / "OctopusDeploy: Two").rmdir()
    back = node.call("unpark").result
    assert [service["name"] for service in back["services"]] == ["OctopusDeploy"]
    assert start_types(node) == {"OctopusDeploy": "automatic"}


# -- request, log, unstage ---------------------------------------------------------------------


def test_a_request_asks_for_no_certificate_of_localhost(node: Node, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path, "octopus.example.com"))
    Web.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        prefix = f"https://+:{server.server_address[1]}/"
        node.configure(**{"Octopus.WebPortal.ListenPrefixes": prefix})
        ask = {"instance": "OctopusServer", "path": "/api", "api_key": ""}
        assert node.call("request", **ask).result == {"status": 200, "body": "ööö"}
        server.shutdown()


def self_signed(folder: Path, name: str) -> Path:
    """A certificate with its key that nobody trusts, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(encoding) + key.private_bytes(encoding, form, plain))
    return file


class Web(http.server.BaseHTTPRequestHandler):
    """Answers with the key it was given."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.path} {self.headers.get('X-Octopus-ApiKey', '')}")
        body = "ö".encode() * (70_000 if self.path == "/long" else 3)
        self.send_response(418 if self.path == "/app/drained" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    Web.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_request_goes_to_the_first_prefix(node: Node, port: int) -> None:
    prefix = f"http://*:{port}/app/,https://elsewhere.example.com/"
    node.configure(**{"Octopus.WebPortal.ListenPrefixes": prefix})
    ask = {"instance": "OctopusServer", "path": "/api", "api_key": "API-1"}
    answer = convert(node.call("request", **ask).result, LocalAnswer)
    assert (answer.status, answer.body) == (200, "ööö")
    assert node.call("request", **ask | {"path": "drained", "api_key": ""}).result["status"] == 418
    assert Web.seen == ["/app/api API-1", "/app/drained "]
    node.configure(**{"Octopus.WebPortal.ListenPrefixes": f"http://+:{port}"})
    assert len(node.call("request", **ask | {"path": "long"}).result["body"]) == 65536


def test_a_request_nobody_answers_has_status_0(node: Node) -> None:
    ask = {"instance": "OctopusServer", "path": "/api", "api_key": ""}
    assert node.call("request", **ask).result == {"status": 0, "body": ""}
    node.configure(**{"Octopus.WebPortal.ListenPrefixes": ""})
    assert node.call("request", **ask).result == {"status": 0, "body": ""}
    assert node.call("request", **ask | {"instance": "Other"}).error["code"] == "no-such-instance"


@pytest.mark.parametrize(
    ("content", "limit", "text"),
    [
        (b"0123456789", 4, "6789"),
        ("\ufeffMSI ö end".encode("utf-16-le"), 8, " end"),
        ("\ufeffMSI".encode("utf-16-be"), 100, "MSI"),
        (b"\xef\xbb\xbfabc", 100, "abc"),
        (b"", 100, ""),
    ],
)
def test_a_log_is_read_from_its_end(node: Node, content: bytes, limit: int, text: str) -> None:
    node.octotui.mkdir()
    (node.octotui / "msi.log").write_bytes(content)
    path = str(node.octotui / "msi.log")
    assert node.call("log", path=path, limit=limit).result == {"text": text}


def test_logs_are_read_below_our_folder_and_the_homes_only(node: Node) -> None:
    home = node.root / "home" / "Logs"
    home.mkdir(parents=True, exist_ok=True)
    (home / "OctopusServer.txt").write_text("said")
    allowed = str(home / "OctopusServer.txt")
    assert node.call("log", path=allowed, limit=10).result["text"] == "said"
    assert node.call("log", path=str(home / "none.txt"), limit=10).result["text"] == ""
    for path in (str(node.registry), f"{home}/../../registry.json", str(node.root / "home2" / "x")):
        assert node.call("log", path=path, limit=10).error["code"] == "bad-request"


def test_staged_packages_are_removed(node: Node) -> None:
    packages = node.octotui / "packages"
    packages.mkdir(parents=True)
    (packages / "a.msi").write_text("")
    assert node.call("unstage", file_names=["a.msi", "b.msi"]).result == {"removed": ["a.msi"]}
    assert list(packages.iterdir()) == []


# -- prepare -----------------------------------------------------------------------------------


def test_the_folder_is_made_and_closed_to_others(node: Node) -> None:
    result = node.prepare().result
    assert result == {
        "directory": str(node.octotui),
        "agent_path": str(node.octotui / "agent.ps1"),
        "agent_sha256": "",
    }
    changes = node.read("icacls").splitlines()
    assert "/setowner *S-1-5-32-544" in changes[0]
    assert changes[1].endswith(
        "/inheritance:r /grant:r *S-1-5-32-544:(OI)(CI)F *S-1-5-18:(OI)(CI)F"
    )
    (node.octotui / "agent.ps1").write_bytes(b"agent")
    assert node.prepare().result["agent_sha256"] == hashlib.sha256(b"agent").hexdigest()
    assert node.read("icacls").splitlines() == changes


def test_a_folder_of_somebody_else_is_refused(node: Node) -> None:
    node.octotui.mkdir()
    node.write("sddl", "O:S-1-5-21-7-7-7-1001G:DUD:PAI(A;OICI;FA;;;BA)")
    assert node.prepare().error["code"] == "folder-not-ours"
    assert not (node.world / "icacls").exists()


def test_a_folder_that_was_open_to_others_is_taken_only_while_empty(node: Node) -> None:
    node.octotui.mkdir()
    open_to_users = "O:BAG:DUD:AI(A;OICIID;FA;;;BA)(A;CIID;DCLCRPCR;;;BU)"
    node.write("sddl", open_to_users)
    assert node.prepare().result["directory"] == str(node.octotui)
    node.write("sddl", open_to_users)
    node.write("plant")
    assert node.prepare().error["code"] == "folder-not-ours"


@pytest.mark.parametrize(
    "rights",
    [
        "D:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;BU)",
        "D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-5-21-7-7-7-1001)",
        "D:P",
        "D:AI(A;OICIID;FA;;;BA)",
        "",
    ],
)
def test_rights_of_others_are_not_left(node: Node, rights: str) -> None:
    node.octotui.mkdir()
    node.write("others", "(A;OICI;FR;;;BU)")
    node.write("sddl", f"O:SYG:S-1-5-21-7-7-7-513{rights}")
    assert node.prepare().error["code"] == "folder-not-ours"


def test_a_link_is_no_folder_of_ours(node: Node) -> None:
    (node.root / "elsewhere").mkdir(exist_ok=True)
    node.octotui.symlink_to(node.root / "elsewhere")
    assert node.prepare().error["code"] == "folder-not-ours"


@pytest.mark.parametrize("hidden", ["", "."])
def test_a_file_planted_while_the_folder_is_made_is_noticed(node: Node, hidden: str) -> None:
    node.write("plant", hidden)
    assert node.prepare().error["code"] == "folder-not-ours"


def test_preparing_without_rights_says_so(node: Node) -> None:
    node.write("not-elevated")
    assert node.prepare().error["code"] == "not-elevated"


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("denied", "not-elevated", "Access to the path is denied."),
        ("full", "failed", "The disk is full."),
    ],
)
def test_a_folder_that_cannot_be_made_is_told_with_its_reason(
    node: Node, how: str, code: str, message: str
) -> None:
    node.write("new-item-fails", how)
    assert node.prepare().error == {"code": code, "message": message, "detail": {}}
