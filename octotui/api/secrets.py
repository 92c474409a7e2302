"""Secrets by reference. A profile never holds a secret, only where to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

#: ``env:NAME``, ``file:PATH`` (relative to the profile), ``keyring:SERVICE/USER``, ``cmd:[argv]``.
SCHEMES = ("env", "file", "keyring", "cmd")


class SecretReference:
    """Where a secret is found; a field type for a plugin's settings model.

    Validation accepts a reference as text and refuses anything else, above all a literal secret,
    whose text it does not repeat.
    """

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        scheme, colon, rest = reference.partition(":")
        if not colon or not rest or scheme not in SCHEMES:
            raise ValueError(
                "a secret must be a reference: env:NAME, file:PATH, keyring:SERVICE/USER "
                'or cmd:["program", "argument"]'
            )
        self.reference = reference

    @property
    def scheme(self) -> str:
        return self.reference.partition(":")[0]

    @property
    def target(self) -> str:
        return self.reference.partition(":")[2]

    def __repr__(self) -> str:
        return f"SecretReference({self.reference!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretReference) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.reference
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^({'|'.join(SCHEMES)}):."}

    @classmethod
    def _validate(cls, value: object) -> SecretReference:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ValueError("a secret must be a reference given as text, such as env:NAME")
        return cls(value)


class Secrets(Protocol):
    """Resolves references, as late as possible. Given to plugins by octotui."""

    def resolve(self, reference: SecretReference) -> SecretStr:
        """The secret's text, masked wherever it is shown. Raises SecretError."""
        ...
