"""Reading text of which nobody says how it is encoded; what is no text cannot be masked."""

from __future__ import annotations

import codecs
import re
from typing import Final

#: Bytes that no text has, but for the few that logs do have.
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))

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
    """The text of UTF-8, or of what was written before it."""
    try:
        # Not to its end: of a log that is being written the last letter may be there in part.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data)
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _wide(data: bytes, encoding: str) -> str | None:
    text = data.decode(encoding, "replace")
    return None if "\0" in text or _PAIRS.search(text) else text
