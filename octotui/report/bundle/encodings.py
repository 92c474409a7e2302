"""Reading text of which nobody says how it is encoded; what is no text cannot be masked."""

from __future__ import annotations

import codecs
import re
from typing import Final

#: Bytes that no text has, but for the few that logs do have.
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))

#: How bytes that are no UTF-8 are read.
_WESTERN: Final = "octotui-western"

#: Two letters of an 8-bit text, read as one of UTF-16; a bullet is one of them, four are not.
_PAIRS: Final = re.compile(
    "[" + "".join(f"\\u{high:02x}20-\\u{high:02x}7e" for high in range(0x20, 0x7F)) + "]{4}"
)


def text_of(data: bytes) -> str | None:
    """The text, or None where it is none, or of two encodings in one.

    Windows writes many logs in UTF-16, and some in its old Western code.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _wide(data, "utf-16")
    if data.count(0) > len(data) / 100:
        little = data[1::2].count(0) >= data[::2].count(0)
        return _wide(data, "utf-16-le" if little else "utf-16-be")
    if len(data) - len(data.translate(None, _CONTROLS)) > len(data) / 100:
        return None
    return narrow(data)


def narrow(data: bytes) -> str:
    """The text of UTF-8; what is none in it, of the old Western code.

    Not the one or the other for all of it: a secret is only found where its letters are read as
    what they are, and one stray byte may stand anywhere.
    """
    return data.decode("utf-8-sig", _WESTERN)


def _western(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    stray = error.object[error.start : error.end]
    return stray.decode("cp1252", "backslashreplace"), error.end


codecs.register_error(_WESTERN, _western)


def _wide(data: bytes, encoding: str) -> str | None:
    text = data.decode(encoding, "replace")
    return None if "\0" in text or _PAIRS.search(text) else text
