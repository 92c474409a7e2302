"""The envelopes of WS-Management: reading requests, writing answers and faults (MS-WSMV 2.2)."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from html import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMAN_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
COMMAND_SHELL = f"{SHELL}/cmd"

#: Bytes of one envelope where neither side says otherwise (MaxEnvelopeSizekb = 500).
DEFAULT_ENVELOPE_SIZE = 512_000

_NAMESPACES = {"s": SOAP, "a": ADDRESSING, "w": WSMAN, "rsp": SHELL}
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


@dataclass(frozen=True, slots=True)
class Request:
    """What every operation needs of its envelope; durations in seconds, sizes in bytes."""

    action: str
    resource: str
    message_id: str
    shell_id: str
    operation_timeout: float
    envelope_size: int
    body: ET.Element

    def find(self, path: str) -> ET.Element | None:
        """An element of the body, with the prefixes that Windows uses."""
        return self.body.find(path, _NAMESPACES)

    def texts(self, path: str) -> list[str]:
        """The texts of all such elements of the body, in their order."""
        return [element.text or "" for element in self.body.findall(path, _NAMESPACES)]


class Fault(Exception):
    """A refusal, with the numbers that Windows gives."""

    def __init__(self, subcode: str, code: int, reason: str, *, sender: bool = True) -> None:
        super().__init__(reason)
        self.subcode = subcode
        self.code = code
        self.reason = reason
        self.sender = sender


def timed_out() -> Fault:
    """No news within the operation's time limit: the client is expected to ask again."""
    reason = "The WS-Management service cannot complete the operation within the time specified."
    return Fault("w:TimedOut", 2150858793, reason, sender=False)


def no_such_shell(shell_id: str) -> Fault:
    """The shell never was, has ended, or is another user's."""
    reason = (
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the "
        "shell was not found on the server."
    )
    return Fault("w:InvalidSelectors", 2150858843, reason)


def no_such_command(command_id: str) -> Fault:
    """The command never was in this shell, or was cleaned up."""
    reason = f"The parameter is incorrect: there is no command {command_id} in this shell."
    return Fault("w:InvalidParameter", 87, reason)


def too_many_shells(allowed: int) -> Fault:
    """MaxShellsPerUser is used up."""
    reason = (
        "This user is allowed a maximum number of "
        f"{allowed} concurrent shells, which has been exceeded. Close existing shells or raise "
        "the quota for this user."
    )
    return Fault("w:QuotaLimit", 2150859174, reason)


def not_supported(action: str) -> Fault:
    """An operation that this service does not have."""
    return Fault("a:ActionNotSupported", 2150858757, f"The action {action} is not supported.")


def parse(document: bytes) -> Request:
    """Reads a request. Raises Fault for what is no envelope."""
    try:
        # A loopback server of a simulated estate; expat itself limits entity expansion.
        root = ET.fromstring(document)  # noqa: S314
    except ET.ParseError as error:
        raise Fault("a:InvalidMessageInformationHeader", 2150858752, str(error)) from None
    header = root.find("s:Header", _NAMESPACES)
    body = root.find("s:Body", _NAMESPACES)
    if header is None or body is None:
        reason = "The request has no header or no body."
        raise Fault("a:MessageInformationHeaderRequired", 2150858753, reason)

    def text(path: str) -> str:
        return (header.findtext(path, "", _NAMESPACES)).strip()

    size = text("w:MaxEnvelopeSize")
    return Request(
        action=text("a:Action"),
        resource=text("w:ResourceURI"),
        message_id=text("a:MessageID"),
        shell_id=text("w:SelectorSet/w:Selector[@Name='ShellId']"),
        operation_timeout=_seconds(text("w:OperationTimeout")),
        envelope_size=int(size) if size.isdigit() else DEFAULT_ENVELOPE_SIZE,
        body=body,
    )


def answer(request: Request, body: str) -> bytes:
    """The envelope of an answer; ``body`` is XML with Windows' usual prefixes."""
    return _envelope(request.action + "Response", request.message_id, body)


def fault_answer(fault: Fault, message_id: str) -> bytes:
    """The envelope of a fault."""
    side = "Sender" if fault.sender else "Receiver"
    reason = escape(fault.reason, quote=False)
    body = (
        f"<s:Fault><s:Code><s:Value>s:{side}</s:Value>"
        f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault xmlns:f="{WSMAN_FAULT}" Code="{fault.code}" Machine="localhost">'
        f"<f:Message>{reason}</f:Message></f:WSManFault></s:Detail></s:Fault>"
    )
    return _envelope(f"{WSMAN}/fault", message_id, body)


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" '
        f'xmlns:x="{TRANSFER}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}"><s:Header>'
        f"<a:Action>{escape(action)}</a:Action>"
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _seconds(duration: str) -> float:
    found = _DURATION.fullmatch(duration)
    if not found or not any(found.groups()):
        return 60.0  # MaxTimeoutms, Windows' default
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
