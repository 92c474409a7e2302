"""What an operator reads when WinRM fails: what happened, on which node, what it means, what next.

The class of the error decides whether the command may be repeated, so it is part of every case.
"""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.exceptions import SSLError as UrllibSSLError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from octotui.api.errors import (
    CredentialsRefused,
    NotTrusted,
    TransportError,
    Unreachable,
)
from octotui_winrm import faults
from octotui_winrm.wire import BadAnswer, Endpoint, WireOver

NTLM = Endpoint(
    "octo1.example.com", 5986, "https", "ntlm", r"EXAMPLE\octo", Path("/etc/octo/ca.pem"), True
)
BASIC = replace(NTLM, auth="basic", host="2001:db8::7", username="octo")
POOL = HTTPSConnectionPool("octo1.example.com")


def fault(code: int = 500, reason: str = "No.", subcode: str | None = None) -> WSManFaultError:
    return WSManFaultError(500, "", "", reason, fault_subcode=subcode, wsman_fault_code=code)


def caused(wrapper: type[requests.RequestException], reason: Exception) -> Exception:
    """As requests hands on what urllib3 gave up for."""
    return wrapper(MaxRetryError(POOL, "/wsman", reason))


def new_connection(cause: OSError) -> Exception:
    error = NewConnectionError(HTTPSConnection("octo1.example.com"), "Failed to connect")
    error.__cause__ = cause
    return caused(requests.ConnectionError, error)


def untrusted() -> Exception:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "self-signed certificate"
    return caused(requests.exceptions.SSLError, UrllibSSLError(cause))


NOT_TLS = caused(
    requests.exceptions.SSLError, UrllibSSLError(ssl.SSLError(1, "wrong version number"))
)
REFUSED = new_connection(ConnectionRefusedError(111, "Connection refused"))
RESET = requests.ConnectionError(
    ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
)

NOTHING = "Nothing was done on the node."
ACCOUNT = "Check user name and password; the account must be one of the node's administrators. "
BY_NTLM = ACCOUNT + "A local account is written without domain, or as NODE\\user."
BY_BASIC = ACCOUNT + (
    "Basic must be allowed on the node (winrm get winrm/config/service/auth), and knows local "
    "accounts only."
)
NODE_UP = (
    f"{NOTHING} Check that the node is up, that its name is right, that WinRM listens on that port "
    "(on the node: winrm enumerate winrm/config/listener) and that no firewall is between."
)
SHELLS = (
    f"{NOTHING} End what other sessions of this account left open (restarting the service WinRM "
    "ends all), or raise MaxShellsPerUser (winrm get winrm/config/winrs)."
)
EVENT_LOG = f"{NOTHING} Look into the node's event log Microsoft-Windows-WinRM/Operational."
NOT_WINRM = f"{NOTHING} Check host and port, and that WinRM itself listens there."
AUTHORITY = (
    "Nothing was sent. Name the file of the authority that signed it with `ca` under "
    "[transports.winrm], and reach the node by a name that its certificate holds."
)
CA_FILE = "Nothing was sent. `ca` under [transports.winrm] must name a PEM file with certificates."
WHERE = "octo1.example.com:5986"

#: What was raised, whether there had been a connection; the error's class and words.
BEFORE = [
    (
        InvalidCredentialsError("the specified credentials were rejected by the server"),
        NTLM,
        False,
        CredentialsRefused,
        rf"OCTO1: the node refuses the account EXAMPLE\octo by NTLM. {NOTHING} {BY_NTLM}",
    ),
    (
        InvalidCredentialsError("the specified credentials were rejected by the server"),
        BASIC,
        False,
        CredentialsRefused,
        f"OCTO1: the node refuses the account octo by Basic. {NOTHING} {BY_BASIC}",
    ),
    (
        fault(5, "Access is denied."),
        NTLM,
        True,
        CredentialsRefused,
        rf"OCTO1: the node refuses the account EXAMPLE\octo by NTLM. Access is denied. {BY_NTLM}",
    ),
    (
        WinRMTransportError("http", 403, ""),
        NTLM,
        True,
        CredentialsRefused,
        rf"OCTO1: the node refuses the account EXAMPLE\octo by NTLM. {NOTHING} {BY_NTLM}",
    ),
    (
        fault(2150859174, "The maximum number of concurrent shells is reached."),
        NTLM,
        True,
        TransportError,
        r"OCTO1: the node gives EXAMPLE\octo no further shell: The maximum number of concurrent "
        f"shells is reached. {SHELLS}",
    ),
    (
        fault(1, "Too many.", "w:QuotaLimit"),
        NTLM,
        True,
        TransportError,
        rf"OCTO1: the node gives EXAMPLE\octo no further shell: Too many. {SHELLS}",
    ),
    (
        fault(87, "The parameter is incorrect."),
        NTLM,
        True,
        TransportError,
        f"OCTO1: WinRM refuses the command: The parameter is incorrect. {EVENT_LOG}",
    ),
    (
        WinRMTransportError("http", 404, ""),
        NTLM,
        True,
        TransportError,
        f"OCTO1: {WHERE} answers as WinRM does not: HTTP 404. {NOT_WINRM}",
    ),
    (
        WinRMError("no such thing"),
        NTLM,
        True,
        TransportError,
        f"OCTO1: {WHERE} answers as WinRM does not: no such thing. {NOT_WINRM}",
    ),
    (
        BadAnswer("StopIteration"),
        BASIC,
        True,
        TransportError,
        f"OCTO1: [2001:db8::7]:5986 answers as WinRM does not: StopIteration. {NOT_WINRM}",
    ),
    (
        untrusted(),
        NTLM,
        False,
        NotTrusted,
        f"OCTO1: the certificate of {WHERE} is not trusted: self-signed certificate. {AUTHORITY}",
    ),
    (
        NOT_TLS,
        NTLM,
        False,
        Unreachable,
        f"OCTO1: no TLS with {WHERE}: wrong version number. {NOTHING} "
        "Check that the port is WinRM's HTTPS listener (5986 unless changed).",
    ),
    (
        NOT_TLS,
        NTLM,
        True,
        Unreachable,
        f"OCTO1: the connection to {WHERE} broke before the command was sent: "
        f"wrong version number. {NODE_UP}",
    ),
    (
        FileNotFoundError(2, "No such file or directory"),
        NTLM,
        False,
        NotTrusted,
        "OCTO1: the certificate file /etc/octo/ca.pem cannot be used: No such file or directory. "
        f"{CA_FILE}",
    ),
    (
        OSError("it holds no certificate"),
        NTLM,
        False,
        NotTrusted,
        "OCTO1: the certificate file /etc/octo/ca.pem cannot be used: it holds no certificate. "
        f"{CA_FILE}",
    ),
    (
        REFUSED,
        NTLM,
        False,
        Unreachable,
        f"OCTO1: no connection to {WHERE}: Connection refused. {NODE_UP}",
    ),
    (
        RESET,
        NTLM,
        True,
        Unreachable,
        f"OCTO1: the connection to {WHERE} broke before the command was sent: "
        f"Connection reset by peer. {NODE_UP}",
    ),
    (
        requests.exceptions.InvalidURL("Failed to parse"),
        NTLM,
        False,
        Unreachable,
        f"OCTO1: no connection to {WHERE}: that is no name of a host. {NODE_UP}",
    ),
    (
        requests.ConnectTimeout("timed out"),
        NTLM,
        False,
        Unreachable,
        f"OCTO1: no connection to {WHERE}: no answer. {NODE_UP}",
    ),
    (
        requests.ReadTimeout("timed out"),
        NTLM,
        True,
        Unreachable,
        f"OCTO1: the connection to {WHERE} broke before the command was sent: no answer within "
        f"the time limit. {NODE_UP}",
    ),
    (
        requests.ConnectionError("Remote end closed connection without response"),
        NTLM,
        True,
        Unreachable,
        f"OCTO1: the connection to {WHERE} broke before the command was sent: closed by the other "
        f"side. {NODE_UP}",
    ),
]


@pytest.mark.parametrize(("error", "endpoint", "connected", "kind", "words"), BEFORE)
def test_before_a_command_was_sent(
    error: Exception, endpoint: Endpoint, connected: bool, kind: type[TransportError], words: str
) -> None:
    found = faults.before_sending(error, "OCTO1", endpoint, connected)
    assert (type(found), str(found)) == (kind, words)
    assert found.outcome_known


UNKNOWN = (
    "The command may be running, done, or never begun. "
    "Look at what is true on the node before anything is repeated."
)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            fault(2150858843, "The shell was not found."),
            "the node has ended the shell in which the command ran: WinRM or Windows restarted",
        ),
        (fault(995, "The I/O was aborted."), "the node gave the command up: The I/O was aborted."),
        (
            InvalidCredentialsError("rejected"),
            r"the node no longer accepts the account EXAMPLE\octo",
        ),
        (WinRMOperationTimeoutError(), "the node did not take the command in time"),
        (
            WinRMTransportError("http", 503, ""),
            "the node answered HTTP 503 while the command ran",
        ),
        (
            BadAnswer("ParseError: no element found"),
            "the node answered as WinRM does not while the command ran: "
            "ParseError: no element found",
        ),
        (RESET, f"the connection to {WHERE} broke while the command ran: Connection reset by peer"),
    ],
)
def test_after_a_command_was_sent_its_outcome_is_unknown(error: Exception, what: str) -> None:
    found = faults.after_sending(error, "OCTO1", NTLM)
    assert not found.outcome_known
    assert str(found) == f"OCTO1: {what.removesuffix('.')}. {UNKNOWN}"


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RESET, True),
        (REFUSED, True),
        (requests.ConnectTimeout("timed out"), True),
        (WireOver(), True),
        # No answer began.
        (requests.ReadTimeout(ReadTimeoutError(POOL, "/wsman", "timed out")), True),
        (NOT_TLS, True),
        # An answer began and broke off: it may have taken output with it.
        (requests.ConnectionError(ReadTimeoutError(POOL, "/wsman", "timed out")), False),
        (requests.exceptions.SSLError(ssl.SSLError(1, "record layer failure")), False),
        (requests.exceptions.ChunkedEncodingError(ProtocolError("broken")), False),
        # Another node, or another account than before.
        (untrusted(), False),
        (InvalidCredentialsError("rejected"), False),
        (fault(2150858843), False),
        (BadAnswer("ParseError"), False),
    ],
)
def test_output_is_asked_for_again_only_where_none_can_be_lost(
    error: Exception, again: bool
) -> None:
    assert faults.is_broken_connection(error) is again


def test_the_cause_is_found_wherever_it_stands_and_however_it_is_linked() -> None:
    bottom = ConnectionResetError(104, "Connection reset by peer")
    beside = requests.ConnectionError(ProtocolError("Connection aborted."))
    beside.__context__ = bottom
    circle = ProtocolError("Connection aborted.")
    circle.__context__ = beside
    beside.__cause__ = circle
    found = faults.after_sending(beside, "OCTO1", NTLM)
    assert found.what.endswith("broke while the command ran: Connection reset by peer")
