"""A shell on the node and the wire to it, kept from one command to the next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from octotui_winrm.faults import EXPECTED, is_answer
from octotui_winrm.wire import BadAnswer, Wire, WireOver

Result = TypeVar("Result")

#: UTF-8; the shell's default of 437 would spoil every other character.
_CODE_PAGE = 65001


class Channel:
    """Used by one thread at a time, but for ``abort``.

    ``make_wire`` makes a wire that connects with its first request.
    """

    def __init__(self, make_wire: Callable[[], Wire]) -> None:
        self._make_wire = make_wire
        self._wire: Wire | None = None
        self._shell: str | None = None
        self._given_up: list[str] = []
        #: Whether the last wire that failed had ever been connected.
        self.was_connected = False

    def request(self, operation: Callable[[Wire], Result]) -> Result:
        """Does one request, over a new wire where the old one ended in the meantime.

        A wire that failed is given up: the next request gets a new one.
        """
        wire = self._wire
        if wire is not None:
            try:
                return self._over(wire, operation)
            except WireOver:  # nothing was sent
                pass
        self._wire = wire = self._make_wire()
        return self._over(wire, operation)

    def shell(self) -> str:
        """The id of the shell, opened where there is none."""
        while self._given_up:
            self._delete(self._given_up[0])
            del self._given_up[0]
        if self._shell is None:
            self._shell = self.request(lambda wire: wire.open_shell(codepage=_CODE_PAGE))
        return self._shell

    def forget_shell(self) -> None:
        """The node has said that the shell is gone."""
        self._shell = None

    def give_up_shell(self) -> None:
        """Something may still run in the shell: it is closed as soon as the node can be reached."""
        if self._shell is not None:
            self._given_up.append(self._shell)
            self._shell = None

    def close(self) -> None:
        """Closes shell and connection, without complaint where the node is gone."""
        self.give_up_shell()
        try:
            with suppress(*EXPECTED, WireOver):
                while self._given_up:
                    self._delete(self._given_up[0])
                    del self._given_up[0]
        finally:
            if self._wire is not None:
                self._wire.close()
                self._wire = None

    def abort(self) -> None:
        """From another thread: ends the request that is being waited for."""
        if self._wire is not None:
            self._wire.abort()

    def _over(self, wire: Wire, operation: Callable[[Wire], Result]) -> Result:
        try:
            try:
                return operation(wire)
            except (StopIteration, AssertionError) as error:
                # So pywinrm puts it when an answer lacks what it looks for.
                raise BadAnswer(f"{type(error).__name__} {error}".strip()) from error
        except BaseException as error:
            if not is_answer(error):
                self.was_connected = wire.connection.made
                wire.close()
                self._wire = None
            raise

    def _delete(self, shell: str) -> None:
        try:
            self.request(lambda wire: wire.close_shell(shell, close_session=False))
        except EXPECTED as error:
            if not is_answer(error):
                raise
