"""Telling a secret's reference from a secret, in data and in text that may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from octotui.api.secrets import SCHEMES, SecretReference
from octotui.profile.locate import KeyPath

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

#: Names of keys that hold secrets whatever a plugin calls its settings.
TELLING = re.compile(
    r"pass_?(word|wd|phrase|code)|pwd|secret|token|credential|api_?key|private_?key",
    re.IGNORECASE | re.ASCII,
)

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_()]*")

WANTED = (
    "a profile holds no secret itself, only where it is found: env:NAME, file:PATH, "
    'keyring:SERVICE/USER or cmd:["program", "argument"]'
)


def sounds_secret(path: Iterable[str | int], names: Iterable[str] = ()) -> bool:
    """Whether a key anywhere on this path says that a secret is below it.

    ``names`` are further names that are known to hold secrets, misspellings included.
    """
    known = tuple(names)
    return any(_key_sounds_secret(key, known) for key in path if isinstance(key, str))


@cache
def _key_sounds_secret(key: str, known: tuple[str, ...]) -> bool:
    return bool(TELLING.search(key) or get_close_matches(key.lower(), known, 1, 0.75))


def is_reference(text: str) -> bool:
    """Whether a text may be shown because it only says where a secret is."""
    return not what_is_wrong(text)


def what_is_wrong(value: object) -> str:
    """Why a value is no usable reference, without repeating any of it; empty where it is one."""
    if not isinstance(value, str):
        return WANTED
    scheme, colon, target = value.partition(":")
    if not colon or scheme not in SCHEMES:
        return WANTED
    if scheme == "env" and not _ENVIRONMENT_NAME.fullmatch(target):
        return "env: must be followed by the name of an environment variable, as in env:API_KEY"
    if scheme == "file" and (not target.strip() or "\0" in target):
        return "file: must be followed by a path, relative to the profile"
    if scheme == "keyring" and not all(part.strip() for part in split_keyring(target)):
        return "keyring: must be followed by service and user, as in keyring:octotui/upgrade"
    if scheme == "cmd" and not split_command(target):
        return 'cmd: must be followed by a JSON array of texts, as in cmd:["pass", "octopus"]'
    return ""


def meant_scheme(value: object) -> str:
    """The scheme that a misspelt one was probably meant to be, with its colon; or empty."""
    scheme, colon, _ = value.partition(":") if isinstance(value, str) else ("", "", "")
    close = get_close_matches(scheme.lower(), SCHEMES, 1, 0.6) if colon else []
    return f"{close[0]}:" if close and close[0] != scheme else ""


def split_keyring(target: str) -> tuple[str, str]:
    """Service and user; the user's name may hold further slashes."""
    service, _, user = target.partition("/")
    return service, user


def split_command(target: str) -> list[str]:
    """The argument list of a ``cmd:`` reference; empty where it is none."""
    try:
        argv = json.loads(target)
    except (ValueError, RecursionError):
        return []
    texts = isinstance(argv, list) and all(isinstance(a, str) and "\0" not in a for a in argv)
    return list(argv) if texts and argv and argv[0] else []


def secret_values(
    model: type[BaseModel], data: object, path: KeyPath = ()
) -> Iterator[tuple[KeyPath, object]]:
    """Every value that ``model`` takes for a secret's reference, as it was written."""
    if not isinstance(data, dict):
        return
    for key, field in fields_by_key(model).items():
        if key in data:
            yield from _secrets_in(field.annotation, data[key], (*path, key))


def _secrets_in(annotation: Any, value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets_in(annotation, item, (*path, index))
        return
    models = list(models_within(annotation))
    if isinstance(value, dict) and models:
        for model in models:
            yield from secret_values(model, value, path)
    elif SecretReference in _leaves(annotation):
        yield path, value


def secret_names(model: type[BaseModel]) -> set[str]:
    """The names of all keys of ``model``, at any depth, that hold a secret's reference."""
    names: set[str] = set()
    seen: set[type] = set()
    models = [model]
    while models:
        current = models.pop()
        seen.add(current)
        for key, field in fields_by_key(current).items():
            if SecretReference in _leaves(field.annotation):
                names.add(key)
            models += [inner for inner in models_within(field.annotation) if inner not in seen]
    return names


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by what a profile calls them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def models_within(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within an annotation: of ``tuple[A, ...] | None`` this is A."""
    for leaf in _leaves(annotation):
        if isinstance(leaf, type) and hasattr(leaf, "model_fields"):
            yield leaf


def _leaves(annotation: Any) -> Iterator[Any]:
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _leaves(argument)
