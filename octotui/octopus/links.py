"""Where things are: by the links of the root document, below whatever virtual directory there is.

Links are URI templates such as ``/octopus/api/tasks{/id}{?skip,take}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

import httpx

from octotui.api.errors import ServerError

#: Where present servers keep them (``domain.md`` section 3), for a root document without a link.
USUAL = {
    "CurrentLicenseStatus": "~/api/licenses/licenses-current-status",
    "MaintenanceConfiguration": "~/api/maintenanceconfiguration",
    "OctopusServerClusterSummary": "~/api/octopusservernodes/summary",
    "OctopusServerNodes": "~/api/octopusservernodes{/id}{?skip,take,ids,partialName}",
    "ServerStatus": "~/api/serverstatus",
    "SystemReport": "~/api/serverstatus/system-report",
    "Tasks": "~/api/tasks{/id}{?skip,take,running,node}",
}

_EXPRESSION = re.compile(r"\{([/?&]?)([^{}]*)\}")


class Links:
    """The links of one server's root document. ``base`` is the address without ``/api``."""

    def __init__(self, base: httpx.URL, templates: Mapping[str, object]) -> None:
        self._base = base
        self._templates = templates

    def url(self, name: str, **values: str | int) -> httpx.URL:
        """A link with its template filled in. What the template does not offer is left out."""
        template = self._templates.get(name)
        return self.resolve(expand(template if isinstance(template, str) else USUAL[name], values))

    def resolve(self, link: str) -> httpx.URL:
        """A link as it stands in a document. Raises ServerError where it leads to another host."""
        prefix = self._base.path.rstrip("/")
        if link.startswith("~/"):
            link = prefix + link[1:]
        url = self._base.join(link)
        if not same_origin(url, self._base):
            raise ServerError(
                f"{self._base} links to another host, {url.host}",
                meaning="The API key is not sent there",
                next_step="Write the address that the server believes to have into the profile",
            )
        if prefix and not url.path.startswith(f"{prefix}/"):
            # A proxy that takes the virtual directory off: the server does not know of it.
            url = url.copy_with(path=prefix + url.path)
        return url


def expand(template: str, values: Mapping[str, str | int]) -> str:
    """Fills in ``{name}``, ``{/name}``, ``{?a,b}`` and ``{&a,b}``, the part of RFC 6570 in use."""

    def fill(expression: re.Match[str]) -> str:
        operator, names = expression[1], expression[2].split(",")
        given = [(name, quote(str(values[name]), safe="")) for name in names if name in values]
        if operator in {"?", "&"}:
            pairs = "&".join(f"{name}={value}" for name, value in given)
            return operator + pairs if pairs else ""
        return "".join(operator + value for _, value in given)

    return _EXPRESSION.sub(fill, template)


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Same scheme, host and port: where an API key for the one may go."""
    return origin(one) == origin(other)


def origin(url: httpx.URL) -> str:
    """Scheme, host and port of an address, the default port included."""
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    return f"{url.scheme}://{url.host}:{port}"
