"""Builds the lab's packages: real MSIs, really signed, by a publisher that exists only here.

Run by hand when a version is added; its results are kept in ``packages/``. Needs ``wixl`` (Debian:
wixl) and ``osslsigncode`` on PATH. The signing key is made anew each time and thrown away, so
nobody can sign a package as the lab afterwards; only the certificates are kept.

    python -m octotui_lab.build_packages
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PACKAGES = Path(__file__).parent / "packages"

#: Octopus Server's own (public winget manifests, OctopusDeploy.Server).
UPGRADE_CODE = "{036F1093-D8E3-43D1-A750-EE3096A57D24}"

VERSIONS = {
    "2025.2.13071": "2025-09-02",
    "2025.2.13099": "2025-09-30",
    "2025.3.14287": "2025-10-14",
    "2025.4.10428": "2026-01-20",
}

SIGNER = "CN=Octopus Lab Publisher, O=Octopus Lab"

FILES = ("Octopus.Server.exe", "Octopus.Core.dll", "Octopus.Server.manifest")

_NOT_BEFORE = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
_NOT_AFTER = dt.datetime(2055, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Files for signing: the chain, leaf first, and the leaf's key."""

    chain: Path
    key: Path
    root: x509.Certificate


def product_code(version: str) -> str:
    """The same for a version each time it is built."""
    return "{" + str(uuid.uuid5(uuid.NAMESPACE_URL, f"octotui-lab/{version}")).upper() + "}"


def build(folder: Path = PACKAGES) -> None:
    """Builds and signs every version into ``folder`` and lists them in ``packages.json``."""
    folder.mkdir(exist_ok=True)
    listed = []
    with tempfile.TemporaryDirectory() as scratch:
        publisher = make_publisher(Path(scratch))
        for version, released in VERSIONS.items():
            unsigned = _compile(version, Path(scratch))
            signed = folder / f"Octopus.{version}-x64.msi"
            signed.unlink(missing_ok=True)
            _sign(unsigned, signed, publisher)
            data = signed.read_bytes()
            listed.append(
                {
                    "version": version,
                    "file_name": signed.name,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                    "product_code": product_code(version),
                    "released": released,
                }
            )
    (folder / "publisher-root.pem").write_bytes(
        publisher.root.public_bytes(serialization.Encoding.PEM)
    )
    text = json.dumps({"signer": SIGNER, "packages": listed}, indent=2)
    (folder / "packages.json").write_text(text + "\n", encoding="utf-8")


def make_publisher(scratch: Path) -> Publisher:
    """A root and a code-signing certificate below it."""
    root_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root_name = _name("Octopus Lab Root")
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    leaf = (
        _certificate(_name("Octopus Lab Publisher"), root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    chain, key_file = scratch / "chain.pem", scratch / "key.pem"
    chain.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (leaf, root)))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Publisher(chain, key_file, root)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Octopus Lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
    )


def _compile(version: str, scratch: Path) -> Path:
    """The unsigned MSI of a version: a few small files under the product's real names."""
    content = scratch / version
    content.mkdir()
    for name in FILES[:2]:
        (content / name).write_text(f"octotui lab: {name} {version}\n", encoding="ascii")
    (content / FILES[2]).write_text("\r\n".join(FILES[:2]) + "\r\n", encoding="ascii")
    source = scratch / f"{version}.wxs"
    source.write_text(_wix(version), encoding="utf-8")
    target = scratch / f"{version}.msi"
    subprocess.run(["wixl", "-a", "x64", "-o", str(target), str(source)], check=True, cwd=content)
    return target


def _wix(version: str) -> str:
    components = "".join(
        f'<Component Id="C{number}" Guid="{uuid.uuid5(uuid.NAMESPACE_URL, name)}" Win64="yes">'
        f'<File Id="F{number}" Name={quoteattr(name)} Source={quoteattr(name)} '
        'KeyPath="yes"/></Component>'
        for number, name in enumerate(FILES)
    )
    references = "".join(f'<ComponentRef Id="C{number}"/>' for number in range(len(FILES)))
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="{product_code(version)}" Name="Octopus Deploy Server" Language="1033"
           Version="{version}" Manufacturer="Octopus Lab" UpgradeCode="{UPGRADE_CODE}">
    <Package InstallerVersion="405" Compressed="yes" InstallScope="perMachine"/>
    <MajorUpgrade DowngradeErrorMessage="A newer version is installed."/>
    <Media Id="1" Cabinet="octopus.cab" EmbedCab="yes"/>
    <Property Id="RUNMANAGERONEXIT" Value="yes"/>
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ProgramFiles64Folder">
        <Directory Id="VENDOR" Name="Octopus Deploy">
          <Directory Id="INSTALLLOCATION" Name="Octopus">{components}</Directory>
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="Server" Level="1">{references}</Feature>
  </Product>
</Wix>
"""


def _sign(unsigned: Path, signed: Path, publisher: Publisher) -> None:
    subprocess.run(
        ["osslsigncode", "sign", "-certs", str(publisher.chain), "-key", str(publisher.key),
         "-h", "sha256", "-n", "Octopus Deploy Server", "-in", str(unsigned),
         "-out", str(signed)],
        check=True,
        capture_output=True,
    )  # fmt: skip


if __name__ == "__main__":
    build()
