"""What the agent says when it cannot, and how it reads its parameters (``docs/agent.md``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class AgentError(Exception):
    """An answer that is not ok: ``code`` is one of the contract's."""

    def __init__(self, code: str, message: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = dict(detail or {})


class Parameters:
    """The parameters of a call or job. Reading a missing one, or another type, is an AgentError."""

    def __init__(self, values: object) -> None:
        if not isinstance(values, dict):
            raise AgentError("bad-request", "the request is not an object")
        self.values: dict[str, Any] = values

    def text(self, name: str) -> str:
        value = self._present(name)
        if not isinstance(value, str):
            raise AgentError("bad-request", f"parameter {name} is not text")
        return value

    def number(self, name: str) -> float:
        value = self._present(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise AgentError("bad-request", f"parameter {name} is not a number")
        return value

    def size(self, name: str) -> int | None:
        """A whole number or null."""
        return None if self._present(name) is None else int(self.number(name))

    def texts(self, name: str) -> list[str]:
        value = self._present(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise AgentError("bad-request", f"parameter {name} is not a list of texts")
        return value

    def object(self, name: str) -> Parameters:
        value = self._present(name)
        if not isinstance(value, dict):
            raise AgentError("bad-request", f"parameter {name} is not an object")
        return Parameters(value)

    def _present(self, name: str) -> Any:
        if name not in self.values:
            raise AgentError("bad-request", f"parameter {name} is missing")
        return self.values[name]


_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]*")


def checked_file_name(name: str) -> str:
    """A name that cannot lead out of the folder it is meant for."""
    if not _FILE_NAME.fullmatch(name):
        raise AgentError("bad-request", f"{name} is no file name")
    return name


def checked_argument(text: str) -> str:
    """A value that can stand between quotation marks in a command line."""
    if '"' in text:
        raise AgentError(
            "bad-request", "a value with a quotation mark cannot be passed to a program"
        )
    return text
