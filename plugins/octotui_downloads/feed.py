"""The version feed: a JSON array of objects with ``Version`` (``domain.md`` 1.5).

Nobody documents the property that holds the date, the order, or whether early-access builds are in
it: several names are known, a missing date is no fault, and what is not year.minor.build is left
out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from octotui.api import Release
from octotui.api.errors import SourceError

_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,9}")

#: Names that the date may have, in lower case, likeliest first.
_DATES = ("released", "releasedate", "releasedat", "published", "publishedat", "date", "created")

_NOT_THE_FEED = "Either [sources.official] feed_url is wrong, or something on the way answered"


def is_version(text: str) -> bool:
    """Whether it is year.minor.build, as every released version is."""
    return _VERSION.fullmatch(text) is not None


def read_feed(document: bytes, url: str) -> list[Release]:
    """The released versions of a feed from ``url``. Raises SourceError where it is none."""
    try:
        entries = json.loads(document)
    except (ValueError, RecursionError):
        raise SourceError(f"{url} answers, but not with JSON", meaning=_NOT_THE_FEED) from None
    if not isinstance(entries, list):
        raise SourceError(f"{url} answers with JSON that is no list", meaning=_NOT_THE_FEED)
    released: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, dict):
            known = {key.casefold(): value for key, value in entry.items()}
            version = known.get("version")
            if isinstance(version, str) and is_version(version):
                released[version] = released.get(version) or _released(known)
    if not released:
        raise SourceError(f"{url} lists no released version", meaning=_NOT_THE_FEED)
    return [Release(version, day) for version, day in released.items()]


def _released(entry: Mapping[str, Any]) -> str:
    """An ISO date, or empty."""
    for name in _DATES:
        value = entry.get(name)
        if isinstance(value, str):
            try:
                return date.fromisoformat(value[:10]).isoformat()
            except ValueError:
                continue
    return ""
