"""The packages of the lab: which MSIs exist, by version and by hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

#: The subject that signs the lab's MSIs and its installed Octopus.Server.exe.
PUBLISHER = "CN=Octopus Lab Publisher, O=Octopus Lab"

#: The version that is installed when the lab comes up.
INSTALLED_AT_START = "2025.2.13071"


@dataclass(frozen=True, slots=True)
class LabPackage:
    """One MSI. ``size`` in bytes, ``released`` an ISO date, ``signer`` a certificate subject."""

    version: str
    file_name: str
    sha256: str
    size: int
    product_code: str
    released: str
    signer: str = PUBLISHER


class Catalogue:
    """All MSIs that the lab knows. Any other file is not signed, as far as its nodes can tell."""

    def __init__(self, packages: Iterable[LabPackage]) -> None:
        self.packages = tuple(sorted(packages, key=lambda p: version_key(p.version)))
        self._by_hash = {package.sha256: package for package in self.packages}
        self._by_version = {package.version: package for package in self.packages}

    def by_hash(self, sha256: str) -> LabPackage | None:
        return self._by_hash.get(sha256.lower())

    def by_version(self, version: str) -> LabPackage | None:
        return self._by_version.get(version)


def version_key(version: str) -> tuple[int, ...]:
    """A version's numbers, for comparing. Raises ValueError where it is none."""
    return tuple(int(part) for part in version.split("."))


def load_catalogue() -> Catalogue:
    """The packages in ``octotui_lab/packages``. FileNotFoundError where they were not built."""
    file = resources.files("octotui_lab") / "packages" / "packages.json"
    listed = json.loads(file.read_text(encoding="utf-8"))
    return Catalogue(
        LabPackage(
            version=package["version"],
            file_name=package["file_name"],
            sha256=package["sha256"].lower(),
            size=package["size"],
            product_code=package["product_code"],
            released=package["released"],
            signer=listed["signer"],
        )
        for package in listed["packages"]
    )
