"""One question to the lab's world, as the shim's programs ask it.

Plain sockets and nothing else of the standard library's HTTP, whose import would cost a program
that is started for each call more than the program itself.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any


class WorldError(Exception):
    """The world refused a question, in its own words, or does not answer."""


def ask(
    control_url: str, node_name: str, call: str, arguments: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """One primitive call of a node (``hosts.WindowsHost.call``). Blocks. Raises WorldError."""
    address = control_url.removeprefix("http://").partition("/")[0]
    host, _, port = address.rpartition(":")
    body = json.dumps(arguments or {}).encode()
    head = (
        f"POST /windows/{node_name}/{call} HTTP/1.0\r\nHost: {address}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        with socket.create_connection((host.strip("[]"), int(port))) as connection:
            connection.sendall(head.encode() + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError as error:
        raise WorldError(f"the lab does not answer: {error}") from error
    status, _, content = answer.partition(b"\r\n\r\n")
    if status.split(b" ", 2)[1:2] != [b"200"]:
        raise WorldError(content.decode("utf-8", "replace") or f"no answer to {call}")
    result: dict[str, Any] = json.loads(content)
    return result
