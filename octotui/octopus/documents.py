"""Octopus' JSON documents, read into the values of ``octotui.api.facts``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from octotui.api.errors import ServerError
from octotui.api.facts import ClusterNode, License, Task
from octotui.octopus.failures import is_page, of_page

#: States in which a task runs (``domain.md`` 3.4).
RUNNING_STATES = ("Executing", "Cancelling")


class Document:
    """A JSON object of the API. What is missing or of another type is an error that names it."""

    def __init__(self, url: httpx.URL, values: Mapping[str, Any]) -> None:
        self.url = url
        self.values = values

    def text(self, name: str, default: str | None = None) -> str:
        """A string; ``default`` where it is missing or null."""
        value = self._value(name, default)
        if not isinstance(value, str):
            raise self._fault(name, "a text")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise self._fault(name, "true or false")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        value = self._value(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._fault(name, "a number")
        return value

    def documents(self, name: str) -> list[Document]:
        """A list of objects."""
        value = self._value(name, None)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._fault(name, "a list of objects")
        return [Document(self.url, item) for item in value]

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object; empty where it is missing."""
        value = self._value(name, {})
        if not isinstance(value, dict):
            raise self._fault(name, "an object")
        return value

    def _value(self, name: str, default: object) -> object:
        value = self.values.get(name)
        return default if value is None else value

    def _fault(self, name: str, expected: str) -> ServerError:
        return ServerError(
            f"{self.url} answers without {name}, which should be {expected}",
            meaning="That is no Octopus Server that octotui knows",
        )


def read(response: httpx.Response) -> Document:
    """The JSON object of an answer. Raises ServerError where it is something else."""
    if is_page(response):
        raise of_page(response)
    try:
        values = json.loads(response.content)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ServerError(
            f"{response.request.url} answers with something that is no JSON object",
            next_step="Check the address in the profile: is it that of Octopus Server?",
        )
    return Document(response.request.url, values)


def cluster_node(row: Document) -> ClusterNode:
    """A row of the cluster summary. ``Version`` exists on newer servers only."""
    return ClusterNode(
        id=row.text("Id"),
        name=row.text("Name"),
        max_concurrent_tasks=row.number("MaxConcurrentTasks"),
        draining=row.flag("IsInMaintenanceMode"),
        offline=row.flag("IsOffline"),
        last_seen=row.text("LastSeen", ""),
        running_tasks=row.number("RunningTaskCount"),
        version=row.text("Version", ""),
    )


def server_task(item: Document) -> Task:
    return Task(
        id=item.text("Id"),
        description=item.text("Description", ""),
        state=item.text("State"),
        node_id=item.text("ServerNode", ""),
        started=item.text("StartTime", ""),
        waits_for_person=item.flag("HasPendingInterruptions", False),
    )


def hidden_tasks(page: Document, seen: int) -> tuple[Task, ...]:
    """Running tasks that the counts tell of and the list does not.

    The key's user does not see their space; they hold a drain up like any other.
    """
    here, elsewhere = (
        sum(Document(page.url, page.mapping(counts)).number(s, 0) for s in RUNNING_STATES)
        for counts in ("TotalCounts", "TotalCountsInOtherSpaces")
    )
    return tuple(
        Task(
            id=f"hidden-{number}",
            description="a task in a space that the API key's user does not see",
            state="Executing",
            node_id="",
            started="",
            waits_for_person=False,
        )
        for number in range(1, max(0, here - seen) + elsewhere + 1)
    )


def licence(status: Document) -> License:
    return License(
        compliant=status.flag("IsCompliant"),
        summary=status.text("ComplianceSummary", ""),
        expires=status.text("EffectiveExpiryDate", ""),
    )
