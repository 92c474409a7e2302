"""Requests to the lab's REST API and its answers, without the sockets they travel over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

API_KEY_HEADER = "X-Octopus-ApiKey"
#: Names the node that answered, behind whatever balancer.
NODE_HEADER = "Octopus-Node"


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How the API is reached: the one key that is good, and the virtual directory ("/octopus")."""

    api_key: str = field(repr=False)
    directory: str = ""

    @property
    def api(self) -> str:
        return f"{self.directory}/api"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as far as Octopus looks at it. ``query``: names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    api_key: str | None = field(default=None, repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer: a document for JSON, text for a page, bytes for a zip."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        if isinstance(self.content, bytes):
            return "application/zip"
        return "text/html" if isinstance(self.content, str) else "application/json"

    @property
    def body(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        if isinstance(self.content, str):
            return self.content.encode()
        return json.dumps(self.content).encode()


class NobodyListens(Exception):
    """The node's service is stopped: a client's connection is refused."""
