"""The agent's answer out of what a call printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from octotui.api.errors import NodeError
from octotui.api.transport import Completed
from octotui.windows.refusals import refusal

BEGIN = "<<<octotui-answer"
END = "octotui-answer>>>"

#: How much of something that is no answer is shown to the person.
_SHOWN_LINES = 5
_SHOWN_CHARACTERS = 160

_CLIXML = "#< CLIXML"
_CLIXML_TEXT = re.compile(r'<S S="(?:Error|Warning)">(.*?)</S>', re.DOTALL)
_CLIXML_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PASSWORD = re.compile(r"\b(password|pwd)(\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^;\s,]+)", re.IGNORECASE)


class UnreadableAnswer(NodeError):
    """Something came that is no answer: what the call was for may have been done or not."""

    outcome_known = False


def read_answer(completed: Completed, node: str, secrets: Iterable[str] = ()) -> Any:
    """The ``result`` of an answer; lines before and after the markers are noise.

    Raises NodeError where the agent says no, UnreadableAnswer where there is no whole answer;
    ``secrets`` are masked in what that one shows.
    """
    text = _decoded(completed.stdout)
    begin = text.rfind(BEGIN)
    end = text.find(END, begin)
    if begin < 0 or end < 0:
        what = "the node's answer is cut off" if begin >= 0 else "the node did not answer"
        raise _unreadable(what, completed, node, secrets)
    # A console may have broken the line; no line break is ever part of the answer itself.
    body = text[begin + len(BEGIN) : end].replace("\r", "").replace("\n", "")
    try:
        answer = json.loads(body)
    except json.JSONDecodeError:
        raise _unreadable("the node's answer is garbled", completed, node, secrets) from None
    match answer:
        case {"ok": True, "result": result}:
            return result
        case {"ok": False, "error": {"code": str(code), "message": str(message), **rest}}:
            detail = rest.get("detail")
            shown = detail if isinstance(detail, dict) else {}
            raise refusal(code, redacted(message, secrets), shown, node)
    raise _unreadable("the node's answer has another form", completed, node, secrets)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, and without what looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return _PASSWORD.sub(r"\1\2***", text)


def _decoded(data: bytes) -> str:
    if data.startswith(b"\xff\xfe"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _unreadable(
    what: str, completed: Completed, node: str, secrets: Iterable[str]
) -> UnreadableAnswer:
    came = _first_lines(_decoded(completed.stderr)) or _first_lines(_decoded(completed.stdout))
    shown = redacted(" | ".join(came), secrets)
    return UnreadableAnswer(
        f"{what} (exit code {completed.exit_code})",
        code="no-answer",
        node=node,
        meaning=f"What came instead: {shown}" if shown else "Nothing came instead",
        next_step=(
            "Try PowerShell on that node by hand: a profile script, a policy or another language "
            "mode may be in the way"
        ),
    )


def _first_lines(text: str) -> list[str]:
    lines = [line.strip() for line in _without_clixml(text).splitlines()]
    return [line[:_SHOWN_CHARACTERS] for line in lines if line][:_SHOWN_LINES]


def _without_clixml(text: str) -> str:
    """What is said in PowerShell's XML of errors, which a remote shell gets instead of text."""
    if _CLIXML not in text:
        return text
    said = "".join(_CLIXML_TEXT.findall(text))
    plain = _CLIXML_ESCAPE.sub(lambda match: chr(int(match[1], 16)), said)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
