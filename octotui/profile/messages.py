"""What pydantic found, in words for whoever wrote the profile. Never repeats a secret."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from octotui.profile.locate import KeyPath
from octotui.profile.references import fields_by_key, models_within, sounds_secret

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_WANTED = {
    "string_type": "text in quotes",
    "path_type": "a path in quotes",
    "int_type": "a whole number without quotes",
    "int_from_float": "a whole number",
    "float_type": "a number without quotes",
    "bool_type": "true or false without quotes",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "list_type": "an array, as in [1, 2]",
    "tuple_type": "an array, as in [1, 2]",
}


def explain(error: ErrorDetails, model: type[BaseModel], path: KeyPath) -> tuple[str, str]:
    """What is wrong, and what was probably meant or empty.

    ``path`` is the error's place in the data that ``model`` was to validate.
    """
    value = error.get("input")
    kind = error["type"]
    if kind == "missing":
        field = fields_at(model, path[:-1]).get(str(path[-1]))
        description = (field.description or "").rstrip(".") if field else ""
        return ("is missing" + (f" ({description})" if description else "")), ""
    if kind == "extra_forbidden":
        return unknown_key(str(path[-1]), fields_at(model, path[:-1]))
    if kind in ("tuple_type", "list_type") and isinstance(value, dict):
        name = path[-1] if path else "name"
        return f"must be written as [[{name}]], with two brackets, once for each", ""
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, not {_kind_of(value)}", ""
    if kind == "literal_error":
        return _not_among(str(error.get("ctx", {}).get("expected", "")), value, path)
    if kind == "string_too_short":
        return "must not be empty", ""
    if kind == "too_short":
        return "must not be empty: at least one is needed", ""
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = re.sub(r"^Input should (be )?", r"must \1", message)
    candidates = error.get("ctx", {}).get("candidates", ())
    meant = closest(value, candidates) if isinstance(value, str) else ""
    return message[:1].lower() + message[1:], meant


def _not_among(expected: str, value: object, path: KeyPath) -> tuple[str, str]:
    allowed = re.findall(r"'([^']*)'", expected)
    if not isinstance(value, str):
        return f"must be {expected.replace(chr(39), chr(34))}, not {_kind_of(value)}", ""
    wrong = "" if sounds_secret(path) else f', not "{value}"'
    return f"must be {expected.replace(chr(39), chr(34))}{wrong}", closest(value, allowed)


def unknown_key(key: str, fields: Iterable[str]) -> tuple[str, str]:
    """The message for a key that is none of the fields, and the key that was meant or empty."""
    known = sorted(fields)
    suggestion = closest(key, known)
    listed = f"; known here: {', '.join(known)}" if known and not suggestion else ""
    return f"is not known here{listed}", suggestion


def unknown_name(
    what: str, name: str, available: Iterable[str], problems: Iterable[object]
) -> tuple[str, str]:
    """The message for a plugin's capability that is not there, and what was meant or empty."""
    names = sorted(available)
    rivals = [key for key in names if key.rpartition("/")[2] == name]
    if rivals:
        choices = " or ".join(f'"{key}"' for key in rivals)
        return f'more than one plugin offers the {what} "{name}": choose {choices}', ""
    message = f'there is no {what} "{name}"; available: {", ".join(names) or "none"}'
    troubled = "; ".join(str(problem).rstrip(".") for problem in problems)
    if troubled:
        message += f" (plugins with problems: {troubled})"
    return message, closest(name, names)


def closest(text: str, candidates: Iterable[str]) -> str:
    """The candidate that was probably meant, or empty."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    close = get_close_matches(text.casefold(), by_folded, 1, 0.6)
    return by_folded[close[0]] if close else ""


def place_of(error: ErrorDetails, data: Any) -> KeyPath:
    """Where in the data an error is: pydantic's ``loc`` also names branches of unions."""
    path: KeyPath = ()
    location = error["loc"]
    for index, part in enumerate(location):
        absent = error["type"] == "missing" and index == len(location) - 1
        if isinstance(data, dict):
            here = part in data
        else:
            here = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if here:
            data = data[part]
        if here or absent:
            path = (*path, part)
    return path


def fields_at(model: type[BaseModel], path: KeyPath) -> dict[str, FieldInfo]:
    """The keys that a table at this path below ``model`` may have, in any branch of a union."""
    fields = fields_by_key(model)
    for part in path:
        if isinstance(part, int):
            continue
        models = models_within(fields[part].annotation) if part in fields else ()
        fields = {key: field for each in models for key, field in fields_by_key(each).items()}
    return fields


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (str, "text"),
        ((int, float), "a number"),
        (dict, "a table"),
        (list, "an array"),
        ((datetime.date, datetime.time), "a date or time"),
    )
    return next((word for types, word in kinds if isinstance(value, types)), "what is written")
