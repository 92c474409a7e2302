"""The lab's packages are what packages.json says: real MSIs, really signed.

msiinfo and osslsigncode (Debian: msitools, osslsigncode) look closer where they are on PATH.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest
from cryptography import x509

from octotui_lab.build_packages import UPGRADE_CODE, product_code
from octotui_lab.catalogue import PUBLISHER, LabPackage, load_catalogue

PACKAGES = Path(str(resources.files("octotui_lab") / "packages"))
ROOT = PACKAGES / "publisher-root.pem"

each_package = pytest.mark.parametrize(
    "package", load_catalogue().packages, ids=lambda package: package.version
)


#: What every compound file, and so every MSI, begins with.
COMPOUND_FILE = bytes.fromhex("d0cf11e0a1b11ae1")


def test_the_versions_that_a_lab_needs() -> None:
    versions = [package.version for package in load_catalogue().packages]
    assert versions == ["2025.2.13071", "2025.2.13099", "2025.3.14287", "2025.4.10428"]


def test_no_file_is_missing_from_the_list_or_left_over() -> None:
    assert {file.name for file in PACKAGES.glob("*.msi")} == {
        package.file_name for package in load_catalogue().packages
    }
    assert not [file for file in PACKAGES.iterdir() if "PRIVATE KEY" in file.read_text("latin-1")]


@each_package
def test_listed_as_it_is(package: LabPackage) -> None:
    data = (PACKAGES / package.file_name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == package.sha256
    assert len(data) == package.size < 100_000
    assert package.product_code == product_code(package.version)
    assert package.signer == PUBLISHER


@each_package
def test_an_msi_of_the_product(package: LabPackage) -> None:
    file = PACKAGES / package.file_name
    data = file.read_bytes()
    assert data.startswith(COMPOUND_FILE)
    for value in (package.version, package.product_code, UPGRADE_CODE, "Octopus Deploy Server"):
        assert value.encode() in data
    if shutil.which("msiinfo"):
        properties = msi_properties(file)
        assert properties["ProductName"] == "Octopus Deploy Server"
        assert properties["ProductVersion"] == package.version
        assert properties["ProductCode"] == package.product_code
        assert properties["UpgradeCode"] == UPGRADE_CODE
        assert properties["RUNMANAGERONEXIT"] == "yes", "a silent install has to turn this off"


@each_package
def test_signed_by_the_publisher(package: LabPackage, tmp_path: Path) -> None:
    file = PACKAGES / package.file_name
    data = bytearray(file.read_bytes())
    assert "\x05DigitalSignature".encode("utf-16-le") in data
    assert b"Octopus Lab Publisher" in data
    if shutil.which("osslsigncode"):
        verified = verify(file)
        assert verified.returncode == 0, verified.stdout
        assert "/O=Octopus Lab/CN=Octopus Lab Publisher" in verified.stdout
        data[data.index(package.product_code.encode()) + 1] ^= 1
        changed = tmp_path / "changed.msi"
        changed.write_bytes(data)
        assert verify(changed).returncode != 0


def test_the_root_is_an_authority_for_decades() -> None:
    root = x509.load_pem_x509_certificate(ROOT.read_bytes())
    root.verify_directly_issued_by(root)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert root.not_valid_after_utc.year >= 2050


def msi_properties(file: Path) -> dict[str, str]:
    listed = subprocess.run(
        ["msiinfo", "export", file, "Property"], check=True, capture_output=True, text=True
    ).stdout
    return dict(line.split("\t") for line in listed.splitlines() if line.count("\t") == 1)


def verify(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["osslsigncode", "verify", "-CAfile", ROOT, file],
        check=False,
        capture_output=True,
        text=True,
    )
