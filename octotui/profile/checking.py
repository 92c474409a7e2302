"""Collecting faults: one model's verdict over one part of a profile, each fault in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from octotui.profile.faults import Fault
from octotui.profile.locate import KeyPath
from octotui.profile.messages import explain, place_of, unknown_key
from octotui.profile.references import (
    fields_by_key,
    meant_scheme,
    secret_values,
    what_is_wrong,
)
from octotui.profile.text import ProfileText

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Where:
    """Where in the file the data of a section were read.

    ``base`` is the section's table. Keys in ``overlaid`` were read from the table ``overlay``
    instead. What is wrong with a table that is not written down is told at ``otherwise``.
    """

    base: KeyPath = ()
    overlay: KeyPath = ()
    overlaid: frozenset[str] = frozenset()
    otherwise: KeyPath = ()

    def path(self, relative: KeyPath) -> KeyPath:
        if self.overlaid and (not relative or relative[0] in self.overlaid):
            return (*self.overlay, *relative)
        return (*self.base, *relative)


class Checking:
    """The faults found so far: one for each path, the first one told."""

    def __init__(self, text: ProfileText) -> None:
        self._text = text
        self._faults: dict[KeyPath, Fault] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self._faults.values())

    def line_of(self, path: KeyPath) -> int:
        return self._text.places.position(self._text.places.value(path))[0]

    def point(
        self, path: KeyPath, message: str, suggestion: str = "", *, at_key: bool = False
    ) -> None:
        """Notes a fault at a value, at a key, or, where it is not written, around it."""
        places = self._text.places
        if path not in places:
            fault = self._text.missing(path, message, suggestion)
        elif at_key:
            fault = self._text.at_key(path, message, suggestion)
        else:
            fault = self._text.at_value(path, message, suggestion)
        self._faults.setdefault(path, fault)

    def validated(
        self, model: type[_Model], data: dict[str, object], where: Where, *, complete: bool = True
    ) -> _Model | None:
        """The data as ``model`` reads them; None where it refuses them. Faults are noted.

        ``complete`` False: a part of the settings, which need not make sense by itself.
        """
        for relative, value in secret_values(model, data):
            if wrong := what_is_wrong(value):
                self._tell(where, relative, wrong, meant_scheme(value))
        if model.model_config.get("extra", "ignore") == "ignore":
            for key in sorted(data.keys() - fields_by_key(model).keys()):
                self._tell(where, (key,), *unknown_key(key, fields_by_key(model)), at_key=True)
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                relative = place_of(detail, data)
                if not complete and (detail["type"] == "missing" or not relative):
                    continue
                message, suggestion = explain(detail, model, relative)
                self._tell(
                    where,
                    relative,
                    self._text.masked(message),  # a plugin's validator may repeat what it was given
                    suggestion,
                    at_key=detail["type"] == "extra_forbidden",
                )
            return None
        except Exception as error:  # a plugin's validator that itself has a fault
            kind = type(error).__name__
            self._tell(where, (), f"its plugin could not check these settings: {kind}")
            return None

    def _tell(
        self,
        where: Where,
        relative: KeyPath,
        message: str,
        suggestion: str = "",
        *,
        at_key: bool = False,
    ) -> None:
        path = where.path(relative)
        places = self._text.places
        if path not in places and path[:-1] not in places and where.otherwise:
            fault = self._text.at(places.value(where.otherwise), path, message, suggestion)
            self._faults.setdefault(path, fault)
        else:
            self.point(path, message, suggestion, at_key=at_key)
