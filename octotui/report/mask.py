"""Masking secrets in text that leaves this machine: those that are known, and what looks like one.

What was written by a run is masked already with the secrets it used. This is the second time: also
for text that others wrote, where only the names around a secret tell that it is one. It rather
masks too much than too little.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from octotui.profile.references import is_reference
from octotui.profile.secrets import MASK

Redact: TypeAlias = Callable[[str], str]

#: What in a name tells that a secret follows: ``DBPASSWORD``, ``Octopus.Storage.MasterKey``.
_TELLING: Final = (
    r"(?:pass[_-]?(?:word|wd|phrase|code)|pwd|(?:master|api|account|access|private)[ _-]?key|"
    r"secret|(?<!publickey)token|credential)"
)
_REST: Final = r"[\w.-]{0,40}"
#: Names that are only asked of JSON and headers.
_HEADER: Final = r"(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,60}(?:api-?key|token)"
#: A value in quotes; T-SQL and Windows Installer double a quote inside, most others put a backslash
#: before it. Within JSON the quotes themselves have backslashes, within XML they are words.
_QUOTED: Final = (
    r"""N?'(?:[^'\r\n]|'')*'|"(?:[^"\\\r\n]|\\.|"")*"|"""
    r"""\\+"[^"\r\n]*(?<=\\)"|&quot;.*?&quot;"""
)
#: What was masked before, with more behind it that is no part of the value.
_DONE: Final = r"\*\*\*(?:[\s,;&\"')<\\]|\Z)"
#: A value without quotes may hold blanks: up to a semicolon (one of XML's words has one), a quote,
#: an element's end or the line's. A quote that is never closed belongs to it.
_BARE: Final = (
    r"""(?!_DONE)(?:["'][^\r\n]+|"""
    r"""(?![\s'])(?:[^;\r\n"<&]+|&(?:(?:amp|lt|gt|apos|quot|#\w{1,7});)?|<(?!/))++)"""
).replace("_DONE", _DONE)


def _compiled(*expressions: str) -> list[re.Pattern[str]]:
    return [re.compile(expression, re.IGNORECASE | re.MULTILINE) for expression in expressions]


#: Of a word that holds several beginnings of one only the first is tried.
_JWT: Final = r"(?<![\w-])(?>[\w-]*?\b(?=eyJ))(?P<value>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"

# A pattern below must not read to the end of its text from each of many places: a log of a megabyte
# on one line would take hours. So what may be long is bounded, or read once and for all.

#: What is known by its own looks. Of each match only the group ``value`` is masked.
_ANYWHERE: Final = (
    # Octopus' API keys.
    (("API-",), re.compile(r"(?<![A-Za-z0-9])(?P<value>API-[A-Z0-9]{10,})")),
    # A private key, with or without its end; a log has time stamps between its lines.
    (
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<value>.*?)"
            r"(?=-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
    ),
    # JSON web tokens, and what PowerShell makes of a secure string.
    (("eyJ",), re.compile(_JWT)),
    (("01000000d08c9ddf",), re.compile(r"\b(?P<value>01000000d08c9ddf[0-9a-f]{32,})")),
    # user:password@host
    (("://",), re.compile(r"://[^\s/:@\"'<>]*:(?P<value>[^\s/\"'<>]+)(?=@)")),
)

#: What is known by the name before it; looked for where such a name is.
_NAMED: Final = _compiled(
    # Headers, to the end of their line.
    rf"(?<![\w-])(?:{_HEADER})[\"']?\s*[:=]\s*[\"']?(?P<value>[^\r\n\"']+)",
    r"\b(?:basic|bearer|negotiate|ntlm)[ \t]+"
    r"(?P<value>(?=[^\s\"']*[0-9=])[A-Za-z0-9+/=_.~-]{8,})",
    # The signature of a shared link, and what else an address is asked with.
    rf"[?&](?:sig|signature|[\w.-]{{0,40}}{_TELLING}{_REST})=(?P<value>[^&\s\"'<>]+)",
    # Windows Installer's own words for a property: the value is all of the rest of the line. Where
    # it repeats its command line nobody can tell where a value ends that has no quotes.
    rf"Property\([SCN]\): [\w.]{{0,60}}{_TELLING}{_REST} = (?P<value>[^\r\n]+)",
    rf"^[^\r\n]{{0,100}}?command line:[^\r\n]*?{_TELLING}{_REST}="
    rf"(?P<value>(?!{_DONE}|[\s\"'])[^\r\n]+)",
    rf"{_TELLING}{_REST} property\. Its (?:current )?value is (?P<value>'.*')",
    # JSON, as it is and as a text within JSON.
    rf"{_TELLING}[^\"\r\n]{{0,40}}\"\s*:\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|-?[0-9][0-9.]*)",
    rf"{_TELLING}[^\"\r\n]{{0,40}}\\+\"\s*:\s*\\+\"(?P<value>[^\"]*(?<!\\))",
    # JSON, a pair of name and value.
    rf"\"\w{{0,20}}(?:name|key|id)\"\s*:\s*\"[^\"\r\n]{{0,80}}{_TELLING}[^\"\r\n]{{0,40}}\"\s*,\s*"
    r"\"\w{0,20}value\"\s*:\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|-?[0-9][0-9.]*)",
    # XML: an element of that name, an element with that key, a pair of key and value.
    rf"<[\w.:-]{{0,60}}{_TELLING}{_REST}(?:\s[^<>]*)?>(?P<value>[^<]+)",
    rf"=\"[^\"\r\n]{{0,80}}{_TELLING}[^\"\r\n]{{0,40}}\"[^<>]{{0,200}}>"
    r"(?:(?P<value>[^<]++)(?=</)|[^<]*)",
    rf"=\"[^\"\r\n]{{0,80}}{_TELLING}[^\"\r\n]{{0,40}}\"\s+value=\"(?P<value>[^\"]*)",
    # Options of command lines, and what is made a secure string of.
    rf"(?<![\w-])(?:--?|/)[\w-]{{0,40}}{_TELLING}{_REST}[ \t]+(?P<value>{_QUOTED}|[^\s\"'-]\S*)",
    rf"convertto-securestring[ \t]+(?:-string[ \t]+)?(?P<value>{_QUOTED}|\S+)",
    # name = value: connection strings, T-SQL, settings, properties.
    rf"{_TELLING}{_REST}[\"']?[ \t]*(?:=|:(?!//))[ \t]*(?P<value>{_QUOTED}|{_BARE})",
)

#: Lines that are worth the patterns of ``_NAMED``, each with the one below it. For text in lower
#: case, which is four times as quick as ignoring the case.
_WORTH: Final = re.compile(
    rf"{_TELLING}(?:{_REST}(?:[\"'\\]|\s*[:=>]|[ ]property\.)|[^\"\r\n]{{0,40}}\")|"
    rf"[-/][\w-]{{0,40}}{_TELLING}|"
    rf"(?:{_HEADER})[\"']?\s*[:=]|(?:basic|bearer|negotiate|ntlm)[ \t]|[?&]sig(?:nature)?=|"
    r"convertto-securestring"
)

#: JSON values below such a key are masked whatever they are.
_SECRET_KEY: Final = re.compile(rf"{_TELLING}|^(?:{_HEADER})$", re.IGNORECASE)

#: Of a pair in JSON, as the settings and variables of Octopus are: what names it, what it holds.
_NAMING_KEY: Final = re.compile(r"^(?:id|\w*(?:name|key))$", re.IGNORECASE)
_VALUE_KEY: Final = re.compile(r"values?$", re.IGNORECASE)


class Mask:
    """Masks texts and JSON values. ``redact`` knows the secrets that could be found out."""

    def __init__(self, redact: Redact = lambda text: text) -> None:
        self._redact = redact

    def text(self, text: str) -> str:
        """The text without what is, or looks like, a secret."""
        text = self._redact(text)
        for hints, pattern in _ANYWHERE:
            if any(hint in text for hint in hints):
                text = pattern.sub(_masked, text)
        return "".join(_by_name(part) if worth else part for worth, part in _parts(text))

    def document(self, text: str) -> str:
        """A whole file's text: of JSON the values are masked, of anything else the text."""
        if text.lstrip()[:1] in ("{", "["):
            with contextlib.suppress(ValueError, RecursionError):
                return json.dumps(self.json(json.loads(text)), indent=2, ensure_ascii=False)
        return self.text(text)

    def json(self, value: Any) -> Any:
        """A JSON value, masked in its texts and below keys that name a secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            secret = _is_secret_pair(value)
            return {
                self.text(key): _hidden(item)
                if _SECRET_KEY.search(key) or (secret and _VALUE_KEY.search(key))
                else self.json(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        return value


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The text in pieces, each with whether it has to be looked at by name.

    Most of a log has no such name, and the patterns are slow.
    """
    # This one letter is longer in lower case; the places must stay the same.
    lowered = text.replace("\u0130", "i").lower()
    done = 0
    while found := _WORTH.search(lowered, done):
        start = max(done, text.rfind("\n", 0, found.start()) + 1)
        line = _line_end(text, found.end())
        end = _line_end(text, line)
        while (again := _WORTH.search(lowered, found.end(), end)) is not None:
            found = again
            if found.end() > line:
                line = end
                end = _line_end(text, line)
        yield False, text[done:start]
        yield True, text[start:end]
        done = end
    yield False, text[done:]


def _line_end(text: str, position: int) -> int:
    """The position after the end of the line."""
    return text.find("\n", position) + 1 or len(text)


def _by_name(text: str) -> str:
    for pattern in _NAMED:
        text = pattern.sub(_masked, text)
    return text


def _is_secret_pair(pair: Mapping[str, Any]) -> bool:
    """Whether what the pair is called, or says of itself, makes its value a secret."""
    for key, item in pair.items():
        if isinstance(item, str) and _NAMING_KEY.match(key) and _SECRET_KEY.search(item):
            return True
        said = key.casefold()
        if (said == "issensitive" and item is True) or (said == "type" and item == "Sensitive"):
            return True
    return False


def _hidden(value: Any) -> Any:
    """What stands below a secret's key: only references, yes and no and nothing stay."""
    if isinstance(value, Mapping):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return value if isinstance(value, str) and is_reference(value) else MASK


def _masked(match: re.Match[str]) -> str:
    """The match with its value masked, unless that only says where a secret is."""
    value: str | None = match["value"]
    bare = value.strip("\"'") if value else ""
    if not value or not bare.replace(MASK, "").strip(" ,;)"):
        return match[0]
    # Without quotes a blank may end it: what follows is then no part of the reference.
    if is_reference(bare) and (bare != value or not re.search(r"\s", bare)):
        return match[0]
    quote = value[0] if value[0] in "\"'" and value.endswith(value[0]) else ""
    start, end = (position - match.start() for position in match.span("value"))
    return f"{match[0][:start]}{quote}{MASK}{quote}{match[0][end:]}"
