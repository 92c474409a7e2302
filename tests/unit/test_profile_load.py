"""What a good profile becomes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from octotui.api import SecretReference
from octotui.plugins import Plugins
from octotui.profile import Profile, load_profile
from octotui.profile.models import (
    HOLDABLE_PHASES,
    Account,
    ManagedAccount,
    ProfileFile,
    seconds,
)
from octotui.upgrade.phases import HOLDABLE
from octotui_winrm.settings import WinrmSettings
from tests.unit.profile_support import FakeProviders

EXAMPLES = sorted((Path(__file__).parents[2] / "profiles").glob("*.toml"))

SMALL = """
[octopus]
url = "https://octopus.example.com/"
api_key = "env:KEY"
[transports.winrm]
username = "upgrade"
password = "file:password.txt"
ca = "ca.pem"
[[nodes]]
name = "OCTO1"
host = "octo1.example.com"
[[nodes]]
name = "OCTO2"
host = "10.0.0.2"
url = "http://octo2.example.com/octopus/"
settings = { port = 5985, scheme = "http" }
[backup]
kind = "node"
path = '\\\\backup\\octopus'
"""


def load(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "profile.toml"
    path.write_text(text)
    return load_profile(path, FakeProviders())


def test_what_is_left_out_has_its_documented_default(tmp_path: Path) -> None:
    profile = load(tmp_path, SMALL)
    upgrade = profile.upgrade
    assert (upgrade.to, upgrade.source, profile.first_node) == ("latest-patch", "official", "OCTO1")
    assert (upgrade.rollout, upgrade.reopen) == ("first-node", "all-verified")
    assert (upgrade.on_failure, upgrade.reboot) == ("ask", "ask")
    assert (upgrade.hold, upgrade.hold_is_written) == (("migrating",), False)
    assert (upgrade.drain.policy, upgrade.drain.deadline) == ("wait", 1800.0)
    assert (profile.package.signer, profile.package.trust) == ("same-as-installed", None)
    assert profile.jobs.run_as == "connection"
    assert profile.smoke == ()
    assert profile.nodes[0].instance == "OctopusServer"


def test_nodes_overlay_the_transports_settings(tmp_path: Path) -> None:
    one, two = load(tmp_path, SMALL).nodes
    first, second = one.transport.settings.model_dump(), two.transport.settings.model_dump()
    assert (first["port"], first["scheme"]) == (None, "https")
    assert (second["port"], second["scheme"], second["username"]) == (5985, "http", "upgrade")
    assert first["password"] == second["password"] == "file:password.txt"


def test_addresses_end_without_a_slash(tmp_path: Path) -> None:
    profile = load(tmp_path, SMALL)
    assert profile.octopus.url == "https://octopus.example.com"
    assert (profile.nodes[0].url, profile.nodes[1].url) == ("", "http://octo2.example.com/octopus")


def test_paths_are_relative_to_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "root.pem").write_text("x")
    monkeypatch.chdir(tmp_path)
    path = Path("folder/profile.toml")
    path.write_text(SMALL.replace("[transports", 'ca = "root.pem"\n[transports'))
    profile = load_profile(path, FakeProviders())
    assert profile.path == tmp_path / "folder" / "profile.toml"
    assert profile.octopus.ca == tmp_path / "folder" / "root.pem"
    assert profile.nodes[1].transport.settings.model_dump()["ca"] == tmp_path / "folder" / "ca.pem"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"connection"', "connection"),
        ('"system"', "system"),
        (r"'gmsa:EXAMPLE\octo$'", ManagedAccount(username=r"EXAMPLE\octo$")),
        (
            '{ username = "octo", password = "env:X" }',
            Account(username="octo", password=SecretReference("env:X")),
        ),
    ],
)
def test_run_as(tmp_path: Path, written: str, read: object) -> None:
    assert load(tmp_path, f"{SMALL}\n[jobs]\nrun_as = {written}\n").jobs.run_as == read


def test_a_written_hold_is_told_from_the_default(tmp_path: Path) -> None:
    upgrade = load(tmp_path, f'{SMALL}\n[upgrade]\nhold = ["migrating"]\n').upgrade
    assert (upgrade.hold, upgrade.hold_is_written) == (("migrating",), True)


def test_one_host_may_have_several_ports(tmp_path: Path) -> None:
    # A simulated estate, or port forwarding.
    profile = load(tmp_path, SMALL.replace("10.0.0.2", "octo1.example.com"))
    assert profile.nodes[0].host == profile.nodes[1].host


def test_nothing_in_a_profile_changes(tmp_path: Path) -> None:
    profile = load(tmp_path, SMALL)
    with pytest.raises(FrozenInstanceError):
        profile.nodes = ()  # type: ignore[misc]
    with pytest.raises(ValidationError):
        profile.upgrade.to = "latest"


def test_redacted_is_json_with_references_only(tmp_path: Path) -> None:
    redacted = load(tmp_path, SMALL).redacted()
    assert json.loads(json.dumps(redacted)) == redacted
    assert redacted["octopus"]["api_key"] == "env:KEY"
    assert redacted["nodes"][1]["transport"]["settings"]["port"] == 5985


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d", 86400)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "30", "s", "1.5h", "-1s", "10 m", "0s", "٣s", 30, None, True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        seconds(text)


def test_phases_that_may_be_held_are_those_of_the_table() -> None:
    assert HOLDABLE_PHASES == HOLDABLE


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load_with_the_plugins_that_are_installed(path: Path) -> None:
    profile = load_profile(path, Plugins.load())
    assert profile.first_node == "OCTO1"
    assert profile.backup.name == "node"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_the_examples_have_as_comments_is_valid_too(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for option in ('# ca = "', "# hold = ["):
        text = text.replace(option, option.removeprefix("# "))
    (tmp_path / "example-root.pem").write_text("x")
    (tmp_path / path.name).write_text(text, encoding="utf-8")
    load_profile(tmp_path / path.name, FakeProviders())


def test_pydantic_is_imported_only_when_a_profile_is_read() -> None:
    code = "import sys, octotui.profile; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("model", [ProfileFile, WinrmSettings])
def test_a_json_schema_can_be_made_of_the_models(model: type[BaseModel]) -> None:
    schema = json.dumps(model.model_json_schema())
    assert "^(env|file|keyring|cmd):" in schema


def test_the_json_schema_has_accounts_as_they_are_written() -> None:
    definitions = ProfileFile.model_json_schema()["$defs"]
    assert "ManagedAccount" not in definitions
    written = {"type": "string", "pattern": r"^gmsa:.+\$$"}
    assert written in definitions["JobsSection"]["properties"]["run_as"]["oneOf"]
