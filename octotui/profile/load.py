"""Reading a profile: bytes to text, text to TOML, TOML to a Profile, faults on the way."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import tomli

from octotui.profile.faults import Fault, ProfileFaults
from octotui.profile.locate import Entry
from octotui.profile.profile import Profile
from octotui.profile.providers import Providers
from octotui.profile.text import ProfileText

#: Larger files are no profiles (fifty nodes take about 10 KiB).
LARGEST = 256 * 1024

#: What other encodings begin with; UTF-32 before UTF-16, whose mark it begins with.
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

_BACKSLASH_HELP = (
    "in double quotes a backslash begins an escape; write Windows paths and accounts in "
    r"single quotes, as in 'EXAMPLE\user'"
)


def load_profile(path: Path, providers: Providers) -> Profile:
    """The profile in that file, validated together with the sections of the plugins it uses.

    Nothing is looked up but the files it names: secrets stay where they are. Raises ProfileFaults
    with everything that is wrong, and nothing else.
    """
    text = ProfileText(str(path), _read(path))
    data = _parse(text)
    # pydantic is imported here, when a profile is read, and nowhere before.
    from octotui.profile.validate import validate

    return validate(path, text, data, providers)


def _read(path: Path) -> str:
    """The text, lines ended by a line feed alone. A UTF-8 byte-order mark is no fault."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file") from None
    except IsADirectoryError:
        raise _unreadable(path, "this is a directory, not a profile") from None
    except PermissionError:
        what = "a directory, not a profile" if path.is_dir() else "a file that you may not read"
        raise _unreadable(path, f"this is {what}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable(path, f"it cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise _unreadable(path, f"it has more than {LARGEST} bytes, so it is no profile")
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise _unreadable(path, f"it is written in {encoding}; save it as UTF-8", 1, 1)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        message = f"byte 0x{data[error.start]:02x} is no UTF-8; save the file as UTF-8"
        raise _unreadable(path, message, line, column) from None
    if not text.strip():
        raise _unreadable(
            path, "it is empty; profiles/single.toml and profiles/cluster.toml show one", 1, 1
        )
    return text.replace("\r\n", "\n")


def _unreadable(path: Path, message: str, line: int = 0, column: int = 0) -> ProfileFaults:
    return ProfileFaults([Fault(str(path), line, column, "", message)])


def _parse(text: ProfileText) -> dict[str, Any]:
    try:
        return tomli.loads(text.text)
    except tomli.TOMLDecodeError as error:
        raise ProfileFaults([_syntax_fault(text, error)]) from None
    except RecursionError:
        what = "arrays or tables are nested too deeply"
    except ValueError:  # a number with thousands of digits
        what = "a number is too long to be read"
    raise _unreadable(Path(text.file), what, 1, 1)


def _syntax_fault(text: ProfileText, error: tomli.TOMLDecodeError) -> Fault:
    offset = text.places.offset(error.lineno, error.colno)
    message = error.msg[:1].lower() + error.msg[1:]
    if error.msg.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate")):
        return _written_twice(text, offset) or text.at(offset, (), message)
    if endless := _text_without_end(text):
        return text.at(endless.value, endless.path, "this text has no closing quotes")
    if error.msg.startswith(("Unescaped", "Invalid hex", "Escaped character")):
        message = _BACKSLASH_HELP
    elif error.msg == "Invalid value":
        message = 'this is no value; text must be in quotes, as in "text"'
    elif "after a key" in error.msg:
        message = 'a key and its value are written as: key = "value"'
    elif error.msg == "Invalid statement":
        message = "this is neither a [table] nor a key = value"
    return text.at(offset, (), message)


def _text_without_end(text: ProfileText) -> Entry | None:
    """The value at which the text stops being TOML because its quotes are never closed."""
    if text.places.stopped is None or not text.places.entries:
        return None
    last = text.places.entries[-1]
    opens = last.value == text.places.stopped and text.text[last.value : last.value + 1]
    return last if opens and opens in "\"'" else None


def _written_twice(text: ProfileText, offset: int) -> Fault | None:
    """The second place of a key or table that is written twice."""
    before = [entry for entry in text.places.entries if entry.key < offset]
    if not before:
        return None
    twice = before[-1]
    first = next((e for e in before[:-1] if e.path == twice.path and e.value != twice.value), None)
    if first is None:
        return None
    line, _ = text.places.position(first.key)
    return text.at(twice.key, twice.path, f"is written twice, first on line {line}")
