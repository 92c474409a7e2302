"""The real files of a simulated host: what is installed, its registration, its configuration."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from octotui_lab.model.server_verbs import configuration_file
from octotui_lab.model.state import INSTANCE, PACKAGE_FILES, Node

MANIFEST = "Octopus.Server.manifest"
_CHUNK = 1024 * 1024


def sha256_of(file: Path) -> str:
    """A file's hash, lower-case hex."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class HostFiles:
    """Keeps the install directory on disk as the world says it is."""

    def __init__(
        self,
        root: Path,
        program_data: Path,
        home: Path,
        install_directory: Path,
        server_program: bytes,
    ) -> None:
        self._root = root
        self._program_data = program_data
        self._home = home
        self._install_directory = install_directory
        self._server_program = server_program
        self._laid: tuple[str, tuple[str, ...]] | None = None

    def lay(self, node: Node) -> None:
        """Writes, replaces or removes what has changed since the last time."""
        wanted = (node.version, node.missing_files)
        if wanted == self._laid:
            return
        if self._laid is None:
            self._lay_instance(node)
        self._laid = wanted
        if self._install_directory.exists():
            shutil.rmtree(self._install_directory)
        if not node.version:
            return
        self._install_directory.mkdir(parents=True)
        for name in PACKAGE_FILES:
            if name not in node.missing_files:
                self._lay_file(name, node.version)
        listed = "".join(f"{name}|{node.version}\n" for name in PACKAGE_FILES)
        (self._install_directory / MANIFEST).write_text(listed, encoding="utf-8")

    def _lay_file(self, name: str, version: str) -> None:
        file = self._install_directory / name
        if name == "Octopus.Server.exe":
            file.write_bytes(self._server_program)
            file.chmod(0o755)
        else:
            file.write_text(f"{name} {version}\n", encoding="utf-8")

    def _lay_instance(self, node: Node) -> None:
        """Home and registration, which no package touches."""
        instances = self._program_data / "Octopus" / "OctopusServer" / "Instances"
        for folder in (instances, self._home / "Logs", self._root / "Temp"):
            folder.mkdir(parents=True, exist_ok=True)
        configuration = configuration_file(node)
        registration = {"Name": INSTANCE, "ConfigurationFilePath": configuration}
        (instances / f"{INSTANCE}.config").write_text(json.dumps(registration), encoding="utf-8")
        Path(configuration).write_text("<octopus-settings />\n", encoding="utf-8")
        (self._home / "Logs" / "OctopusServer.txt").write_text(
            f"Octopus Server {node.version} of {node.name}\n", encoding="utf-8"
        )
