"""The profile that leads octotui to a lab, and the files beside it that it refers to."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: First line of every profile of a lab, by which one may be written over.
HEADER = "# Written by octotui lab up: leads to a simulated cluster, for as long as that runs."


@dataclass(frozen=True, slots=True)
class LabNode:
    """Where a node is found: its host, its own REST API, the port of its WinRM."""

    name: str
    host: str
    url: str
    winrm_port: int


@dataclass(frozen=True, slots=True)
class LabAddresses:
    """All that a profile says of a lab. ``drain_deadline`` in seconds."""

    balancer_url: str
    feed_url: str
    package_url: str
    nodes: Sequence[LabNode]
    drain_deadline: int
    username: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)


class ProfileFile:
    """A lab's profile, and its folder of secrets, readable for nobody else."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.folder = self.path.with_name(f"{self.path.name}.lab")
        #: PEM file of the authority that signs for the lab's servers.
        self.ca = self.folder / "ca.pem"
        self._owner = self.folder / "owner"
        self._token = uuid.uuid4().hex

    def check(self) -> None:
        """Raises ValueError where writing would destroy something that is not a lab's."""
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder")
        if not self.path.parent.is_dir():
            raise ValueError(f"there is no folder {self.path.parent}")
        if self.path.exists() and not self._is_ours():
            raise ValueError(f"{self.path} exists and was not written by a lab: it stays as it is")

    def prepare(self) -> Path:
        """Makes the folder for secrets and certificates, empty. Raises OSError."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        self._owner.write_text(self._token)
        return self.folder

    def write(self, lab: LabAddresses) -> None:
        """Writes everything; the profile last, for whoever waits for it."""
        self._secret("api-key", lab.api_key)
        self._secret("winrm-password", lab.password)
        unfinished = self.folder / "profile"
        unfinished.write_text(self._text(lab), encoding="utf-8")
        unfinished.replace(self.path)

    def remove_folder(self) -> None:
        """The secrets of a lab that has ended. The profile stays, for the runs that name it.

        Another lab that was told to use the same profile meanwhile keeps its own.
        """
        if self._owner.is_file() and self._owner.read_text() == self._token:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ours(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(len(HEADER)) == HEADER.encode()

    def _secret(self, name: str, value: str) -> None:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(value, encoding="utf-8")

    def _text(self, lab: LabAddresses) -> str:
        ca = _quoted(str(self.ca))
        secrets = self.folder.name
        head = f"""{HEADER}
[octopus]
url = {_quoted(lab.balancer_url)}
api_key = {_quoted(f"file:{secrets}/api-key")}
ca = {ca}

[upgrade]
to = "latest"
source = "official"
first = {_quoted(lab.nodes[0].name)}
hold = []
drain = {{ policy = "wait", deadline = "{lab.drain_deadline}s" }}

[package]
signer = "same-as-installed"

[sources.official]
feed_url = {_quoted(lab.feed_url)}
package_url = {_quoted(lab.package_url)}
ca = {ca}

[transports.winrm]
username = {_quoted(lab.username)}
password = {_quoted(f"file:{secrets}/winrm-password")}
ca = {ca}

[jobs]
run_as = "connection"

[backup]
kind = "node"
path = '\\\\BACKUP1\\octopus'

[[smoke]]
url = {_quoted(f"{lab.balancer_url}/app")}
expect = 200
"""
        return head + "".join(_node_text(node) for node in lab.nodes)


def _node_text(node: LabNode) -> str:
    return f"""
[[nodes]]
name = {_quoted(node.name)}
host = {_quoted(node.host)}
instance = "OctopusServer"
url = {_quoted(node.url)}
transport = "winrm"
settings = {{ port = {node.winrm_port} }}
"""


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
