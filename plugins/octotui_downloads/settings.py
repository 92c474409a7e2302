"""What a profile says under ``[sources.official]``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

#: Stands for the version in ``package_url``.
PLACEHOLDER = "{version}"


class OfficialSettings(BaseModel):
    """Where the version feed and the packages are. The defaults are the vendor's own site."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    feed_url: str = Field(
        "https://octopus.com/download/upgrade/v3",
        description="A JSON array of all versions.",
    )
    package_url: str = Field(
        "https://download.octopusdeploy.com/octopus/Octopus.{version}-x64.msi",
        description="Where a version's MSI is; {version} stands for the version. "
        "The nodes fetch it from there too.",
    )
    ca: Path | None = Field(
        None,
        strict=False,
        description=(
            "PEM file of the authorities that sign the site's certificate, in place of those "
            "that the operating system trusts."
        ),
    )

    @field_validator("feed_url", "package_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            complete = None
        if not complete or not url.isprintable() or " " in url:
            raise ValueError("must be an address such as https://octopus.com/download/upgrade/v3")
        if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            raise ValueError("must begin with https:// (http is for this machine itself only)")
        if parts.query or parts.fragment:
            raise ValueError("must not hold '?' or '#': a token there is shown, and given to nodes")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold a user or password: it is shown, and given to nodes")
        return url

    @field_validator("package_url")
    @classmethod
    def _has_a_place_for_the_version(cls, url: str) -> str:
        if PLACEHOLDER not in url:
            raise ValueError(f"must hold {PLACEHOLDER}, in whose place the version is put")
        return url
