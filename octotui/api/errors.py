"""The errors that cross a plugin's border.

Every one of them is written for the person at the keyboard: what happened, on which node, what it
means, how things were left, what to do next. Which class it is tells the runner only one thing it
cannot know by itself: whether the command may have had an effect (``outcome_known``).
"""

from __future__ import annotations


class OctotuiError(Exception):
    """Base of all expected failures; shown to the person as sentences, never as a traceback.

    ``what`` is one sentence without a full stop. ``node`` is the profile's name of the node it
    happened on, or None. ``meaning``, ``left`` and ``next_step`` are sentences or empty.
    """

    #: False where the command may or may not have taken effect: probe before anything is repeated.
    outcome_known: bool = True

    def __init__(
        self,
        what: str,
        *,
        node: str | None = None,
        meaning: str = "",
        left: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.node = node
        self.meaning = meaning
        self.left = left
        self.next_step = next_step

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node and not self.what.startswith(self.node) else ""
        sentences = (where + self.what, self.meaning, self.left, self.next_step)
        return " ".join(s if s.endswith((".", "?", "!")) else s + "." for s in sentences if s)


class TransportError(OctotuiError):
    """A command or file did not get to the node, or its answer did not get back."""


class Unreachable(TransportError):
    """No connection was made: wrong name, refused, no route. Nothing happened on the node."""


class CredentialsRefused(TransportError):
    """The node refused who we are. Nothing happened on the node."""


class NotTrusted(TransportError):
    """The node's certificate or host key is not one we trust. Nothing was sent."""


class ConnectionLost(TransportError):
    """The connection broke after the command was sent: it may be running, done, or never begun."""

    outcome_known = False


class TimedOut(TransportError):
    """No end within the time limit: the command may be running, done, or never begun."""

    outcome_known = False


class FileMissing(TransportError):
    """The remote file to download does not exist."""


class NodeError(OctotuiError):
    """The node carried out the call and reports a failure.

    ``code`` is a stable lower-case word with dashes (``docs/agent.md``), for code to decide by;
    ``detail`` holds JSON values for a person to look at.
    """

    def __init__(
        self,
        what: str,
        *,
        code: str = "failed",
        detail: dict[str, object] | None = None,
        node: str | None = None,
        meaning: str = "",
        left: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(what, node=node, meaning=meaning, left=left, next_step=next_step)
        self.code = code
        self.detail = detail or {}


class SourceError(OctotuiError):
    """A package could not be found, fetched, or is not what its source says it is."""


class ServerError(OctotuiError):
    """The Octopus REST API answered with something that is neither success nor 'not ready'."""


class ServerNotReady(ServerError):
    """Refused, reset, 502 or 503: nobody serves there now, or the server is still booting."""


class ApiKeyRefused(ServerError):
    """401 or 403: the API key is wrong, or its user lacks AdministerSystem."""


class BackupError(OctotuiError):
    """The database could not be backed up, or the backup could not be verified."""


class SecretError(OctotuiError):
    """A secret's reference could not be resolved. Never holds the secret."""
