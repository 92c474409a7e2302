"""What went wrong, from pywinrm's and requests' words to octotui's errors."""

from __future__ import annotations

import ssl
from typing import TypeVar

import requests
from urllib3.exceptions import MaxRetryError, ReadTimeoutError
from winrm.exceptions import (
    AuthenticationError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    NotTrusted,
    TransportError,
    Unreachable,
)
from octotui_winrm.wire import BadAnswer, Endpoint, WireOver

#: Everything that is raised for a node or network that misbehaves; requests' errors are OSErrors.
EXPECTED = (WinRMError, WinRMTransportError, WinRMOperationTimeoutError, OSError, BadAnswer)

Found = TypeVar("Found", bound=BaseException)

_ACCESS_DENIED = 5
_BUSY = 170
_NO_SUCH_SHELL = 2150858843
_QUOTA = 2150859174


def is_answer(error: BaseException) -> bool:
    """Whether the node itself said this, over a connection that goes on."""
    return isinstance(error, WSManFaultError | WinRMOperationTimeoutError)


def is_shell_gone(error: BaseException) -> bool:
    """Whether the node does not know the shell (any more): nothing was done in it."""
    return isinstance(error, WSManFaultError) and error.wsman_fault_code == _NO_SUCH_SHELL


def is_busy(error: WSManFaultError) -> bool:
    """Whether the node took nothing because it is busy, and may take it in a moment."""
    return bool(error.wsman_fault_code == _BUSY)


def is_broken_connection(error: BaseException) -> bool:
    """Whether asking again over a new connection loses nothing.

    An answer that broke off half-way may have taken output with it: that one is not asked again.
    """
    wrapped = error.args[0] if error.args else None
    if isinstance(error, requests.exceptions.SSLError):
        # A line that is cut shows as a TLS error too. MaxRetryError: before an answer began.
        untrusted = _find(error, ssl.SSLCertVerificationError) is not None
        return isinstance(wrapped, MaxRetryError) and not untrusted
    if isinstance(wrapped, ReadTimeoutError):
        return isinstance(error, requests.ReadTimeout)  # else in the midst of an answer
    return isinstance(error, requests.ConnectionError | requests.Timeout | WireOver)


def before_sending(
    error: Exception, node: str, endpoint: Endpoint, connected: bool
) -> TransportError:
    """The error for a person, where it is certain that no command was sent."""
    address = endpoint.address
    if isinstance(error, AuthenticationError):
        return _refused(node, endpoint, "")
    if isinstance(error, WSManFaultError):
        return _fault(error, node, endpoint)
    if isinstance(error, WinRMTransportError) and error.code == 403:
        return _refused(node, endpoint, "")
    if isinstance(error, WinRMTransportError | WinRMError | BadAnswer):
        heard = f"HTTP {error.code}" if isinstance(error, WinRMTransportError) else str(error)
        return TransportError(
            f"{address} answers as WinRM does not: {heard}",
            node=node,
            meaning="Nothing was done on the node.",
            next_step="Check host and port, and that WinRM itself listens there.",
        )
    certificate = _find(error, ssl.SSLCertVerificationError)
    if certificate is not None:
        return NotTrusted(
            f"the certificate of {address} is not trusted: {certificate.verify_message}",
            node=node,
            meaning="Nothing was sent.",
            next_step=(
                "Name the file of the authority that signed it with `ca` under "
                "[transports.winrm], and reach the node by a name that its certificate holds."
            ),
        )
    if isinstance(error, requests.exceptions.SSLError) and not connected:
        return Unreachable(
            f"no TLS with {address}: {_cause(error)}",
            node=node,
            meaning="Nothing was done on the node.",
            next_step="Check that the port is WinRM's HTTPS listener (5986 unless changed).",
        )
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return NotTrusted(
            f"the certificate file {endpoint.ca} cannot be used: {error.strerror or error}",
            node=node,
            meaning="Nothing was sent.",
            next_step="`ca` under [transports.winrm] must name a PEM file with certificates.",
        )
    what = (
        f"the connection to {address} broke before the command was sent: {_cause(error)}"
        if connected
        else f"no connection to {address}: {_cause(error)}"
    )
    return Unreachable(
        what,
        node=node,
        meaning="Nothing was done on the node.",
        next_step=(
            "Check that the node is up, that its name is right, that WinRM listens on that port "
            "(on the node: winrm enumerate winrm/config/listener) and that no firewall is between."
        ),
    )


def after_sending(error: Exception, node: str, endpoint: Endpoint) -> ConnectionLost:
    """The error for a person, where a command was sent and its end is not known."""
    if is_shell_gone(error):
        what = "the node has ended the shell in which the command ran: WinRM or Windows restarted"
    elif isinstance(error, WSManFaultError):
        what = f"the node gave the command up: {error.reason}"
    elif isinstance(error, AuthenticationError):
        what = f"the node no longer accepts the account {endpoint.username}"
    elif isinstance(error, WinRMOperationTimeoutError):
        what = "the node did not take the command in time"
    elif isinstance(error, WinRMTransportError):
        what = f"the node answered HTTP {error.code} while the command ran"
    elif isinstance(error, BadAnswer):
        what = f"the node answered as WinRM does not while the command ran: {error}"
    else:
        what = f"the connection to {endpoint.address} broke while the command ran: {_cause(error)}"
    return ConnectionLost(
        what,
        node=node,
        meaning="The command may be running, done, or never begun.",
        next_step="Look at what is true on the node before anything is repeated.",
    )


def _fault(error: WSManFaultError, node: str, endpoint: Endpoint) -> TransportError:
    if error.wsman_fault_code == _ACCESS_DENIED:
        return _refused(node, endpoint, error.reason)
    if error.wsman_fault_code == _QUOTA or "QuotaLimit" in (error.fault_subcode or ""):
        return TransportError(
            f"the node gives {endpoint.username} no further shell: {error.reason}",
            node=node,
            meaning="Nothing was done on the node.",
            next_step=(
                "End what other sessions of this account left open (restarting the service WinRM "
                "ends all), or raise MaxShellsPerUser (winrm get winrm/config/winrs)."
            ),
        )
    return TransportError(
        f"WinRM refuses the command: {error.reason}",
        node=node,
        meaning="Nothing was done on the node.",
        next_step="Look into the node's event log Microsoft-Windows-WinRM/Operational.",
    )


def _refused(node: str, endpoint: Endpoint, reason: str) -> CredentialsRefused:
    method = "Basic" if endpoint.auth == "basic" else "NTLM"
    hint = (
        "Basic must be allowed on the node (winrm get winrm/config/service/auth), and knows local "
        "accounts only."
        if endpoint.auth == "basic"
        else "A local account is written without domain, or as NODE\\user."
    )
    return CredentialsRefused(
        f"the node refuses the account {endpoint.username} by {method}",
        node=node,
        meaning=reason or "Nothing was done on the node.",
        next_step=(
            "Check user name and password; the account must be one of the node's administrators. "
            + hint
        ),
    )


def _cause(error: BaseException) -> str:
    """The words of whatever lies at the bottom of requests' and urllib3's wrappers."""
    if isinstance(error, requests.exceptions.InvalidURL):
        return "that is no name of a host"
    if isinstance(error, requests.ConnectTimeout):
        return "no answer"
    if isinstance(error, requests.Timeout):
        return "no answer within the time limit"
    bottom = _find(error, OSError)
    if bottom is not None and bottom.strerror:
        return bottom.strerror
    return "closed by the other side"


def _find(error: BaseException, kind: type[Found]) -> Found | None:
    """The deepest of an error's causes that is of this kind, requests' own wrappers aside."""
    found = None
    seen: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        current = pending.pop()
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        if isinstance(current, kind) and not isinstance(current, requests.RequestException):
            found = current
        pending += [
            current.__context__,
            current.__cause__,
            getattr(current, "reason", None),
            *current.args,
        ]
    return found
