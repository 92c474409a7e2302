"""JSON into frozen dataclasses, by their type hints and strictly.

The agent's answers decide what is done to somebody's cluster, so a field that is missing, unknown
or of another type is an error that names it, and never a guess.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConversionError(ValueError):
    """A value is not what its type says; the message names the field, as ``services[0].state``."""


def convert(value: object, wanted: type[T], where: str = "") -> T:
    """``value`` as ``wanted``. Raises ConversionError.

    Understands dataclasses, ``tuple[X, ...]``, ``Mapping``, ``Literal``, unions, ``str``, ``bool``,
    ``int``, ``float`` (for which JSON may write a whole number), ``None`` and ``object``.
    """
    converted: T = _convert(value, wanted, where)
    return converted


def _convert(value: object, wanted: Any, where: str) -> Any:
    if wanted is Any or wanted is object:
        return value
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _union(value, get_args(wanted), where)
    if origin is Literal:
        # 1 == True: the type must fit as well.
        if any(value == known and type(value) is type(known) for known in get_args(wanted)):
            return value
        known = ", ".join(map(str, get_args(wanted)))
        raise ConversionError(f"{_name(where)} is {_shown(value)}, not one of {known}")
    if origin is tuple:
        return _items(value, get_args(wanted)[0], where)
    if origin is Mapping or wanted is Mapping:
        if isinstance(value, dict):
            return value
        raise _mismatch(value, "an object", where)
    if is_dataclass(wanted):
        return _dataclass(value, wanted, where)
    return _plain(value, wanted, where)


def _union(value: object, options: tuple[Any, ...], where: str) -> Any:
    problems = []
    for option in options:
        try:
            return _convert(value, option, where)
        except ConversionError as error:
            problems.append(str(error))
    raise ConversionError(problems[0])


def _items(value: object, item: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _mismatch(value, "a list", where)
    return tuple(_convert(one, item, f"{where}[{index}]") for index, one in enumerate(value))


def _dataclass(value: object, wanted: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _mismatch(value, "an object", where)
    hints = _hints(wanted)
    if unknown := sorted(set(value) - set(hints)):
        raise ConversionError(f"{_name(_below(where, unknown[0]))} is unknown here")
    arguments = {}
    for field in fields(wanted):
        if field.name in value:
            inner = _below(where, field.name)
            arguments[field.name] = _convert(value[field.name], hints[field.name], inner)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConversionError(f"{_name(_below(where, field.name))} is missing")
    return wanted(**arguments)


def _plain(value: object, wanted: Any, where: str) -> Any:
    if wanted is types.NoneType or wanted is None:
        if value is None:
            return None
        raise _mismatch(value, "null", where)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is wanted:
        return value
    names = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    raise _mismatch(value, names.get(wanted, str(wanted)), where)


@cache
def _hints(wanted: type) -> dict[str, Any]:
    return get_type_hints(wanted)


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _name(where: str) -> str:
    return where or "the answer"


def _mismatch(value: object, wanted: str, where: str) -> ConversionError:
    return ConversionError(f"{_name(where)} is {_shown(value)}, not {wanted}")


def _shown(value: object) -> str:
    """What came instead, without its content where that may be long or a secret."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return repr(value)[:60]
