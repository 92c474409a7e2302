"""The source ``official`` as profiles see it: its name and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from octotui.api import Secrets, Source


def _https(text: str) -> str:
    if not text.startswith("https://"):
        raise ValueError("must begin with https://")
    return text


def _template(text: str) -> str:
    if "{version}" not in text:
        raise ValueError("must hold {version}, in whose place the version is put")
    return _https(text)


class OfficialSettings(BaseModel):
    """``[sources.official]``: everything has a default that leads to the vendor's site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feed_url: Annotated[str, AfterValidator(_https)] = Field(
        "https://octopus.com/download/upgrade/v3", description="Lists every released version."
    )
    package_url: Annotated[str, AfterValidator(_template)] = Field(
        "https://download.octopusdeploy.com/octopus/Octopus.{version}-x64.msi",
        description="Where the package of a version lies; {version} stands for it.",
    )
    ca: Path | None = Field(
        None,
        description="PEM file of the authorities to trust in place of the operating system's.",
    )


class OfficialProvider:
    """Offers the vendor's download site, or a mirror that is laid out like it."""

    name = "official"
    settings: type[BaseModel] = OfficialSettings

    def open(self, settings: OfficialSettings, secrets: Secrets) -> Source:
        """The source, ready for use. No I/O."""
        from octotui_downloads.official import OfficialSource

        return OfficialSource(settings)
