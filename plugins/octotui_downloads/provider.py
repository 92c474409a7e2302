"""What octotui is given: the source ``official``, opened from its settings."""

from __future__ import annotations

from pydantic import BaseModel

from octotui.api import Secrets, Source
from octotui_downloads.settings import OfficialSettings


class OfficialProvider:
    """The vendor's download site: a version feed, and an MSI for each version."""

    name = "official"
    settings: type[BaseModel] = OfficialSettings

    def open(self, settings: OfficialSettings, secrets: Secrets) -> Source:
        """The source. No I/O, and no secrets: the site asks for none."""
        from octotui_downloads.official import OfficialSource  # httpx, when first needed

        return OfficialSource(settings)
