"""One command line that a client asked a simulated node to run: the seam between WinRM and node."""

from __future__ import annotations

from typing import Protocol


class RemoteCommand(Protocol):
    """A running command as the node's side sees it.

    The WinRM endpoint awaits one coroutine for each command and answers with the exit code that it
    returns; the client's terminate signal, or its shell's end, cancels that coroutine's task.
    """

    #: As ``cmd.exe`` would get it: the program with its arguments, quoted by Windows' rules.
    command_line: str
    #: Who is logged on, as the client named itself (``user`` or ``DOMAIN\user``).
    user: str

    async def read_stdin(self) -> bytes:
        """The whole standard input: waits until the client has marked its end."""
        ...

    def write_stdout(self, data: bytes) -> None:
        """Standard output, at the client's disposal at once."""
        ...

    def write_stderr(self, data: bytes) -> None:
        """Standard error, at the client's disposal at once."""
        ...
