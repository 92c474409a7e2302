"""One command from its start to its end, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TypeAlias

from winrm.exceptions import AuthenticationError, WinRMOperationTimeoutError, WSManFaultError

from octotui.api import Completed
from octotui_winrm import faults
from octotui_winrm.channel import Channel
from octotui_winrm.patience import Patience
from octotui_winrm.wire import Wire

#: Bytes of standard input in one message: as base64 it must fit into 150 kB, the smallest
#: envelope that a supported Windows has.
STDIN_CHUNK = 64 * 1024

#: Takes pieces of output, in the worker's thread.
Emit: TypeAlias = Callable[[Literal["stdout", "stderr"], bytes], None]


class Stopped(Exception):
    """The call was stopped by whoever made it."""


class Call:
    """``execute`` belongs to a worker's thread; ``stop`` and ``abort`` to any other."""

    def __init__(
        self,
        program: str,
        arguments: str,
        stdin: bytes,
        emit: Emit,
        make_wire: Callable[[], Wire],
        patience: Patience,
    ) -> None:
        self._program = program
        self._arguments = arguments
        self._stdin = stdin
        self._emit = emit
        self._make_wire = make_wire
        self._patience = patience
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._channel: Channel | None = None
        self._running: tuple[str, str] | None = None
        #: True since the command was, or may have been, sent.
        self.sent = False

    def execute(self, channel: Channel) -> Completed:
        """Raises Stopped, or what ``faults.EXPECTED`` lists."""
        self._channel = channel
        shell, command = self._start(channel)
        try:
            self._feed(channel, shell, command)
            completed = self._collect(channel, shell, command)
        except faults.EXPECTED as error:
            self._running = None
            if faults.is_answer(error):
                self._clean_up(channel, shell, command)
            else:
                channel.give_up_shell()
            raise
        except Stopped:
            self._clean_up(channel, shell, command)
            raise
        self._running = None
        self._clean_up(channel, shell, command)
        return completed

    def stop(self) -> None:
        """Ends the command over a wire of its own: the worker's one waits for output."""
        with self._lock:
            self._stopped.set()
            running = self._running
        if running is None:
            return
        wire = self._make_wire()
        try:
            with suppress(*faults.EXPECTED):
                wire.cleanup_command(*running)
        finally:
            wire.close()

    def abort(self) -> None:
        """Breaks the worker's connection, where the node does not end the call."""
        if self._channel is not None:
            self._channel.abort()

    def _start(self, channel: Channel) -> tuple[str, str]:
        try:
            return self._send_command(channel)
        except WSManFaultError as fault:
            self.sent = False
            if not faults.is_shell_gone(fault):
                raise
        # The shell had ended (idle, or the node was restarted); the node says that it did nothing.
        channel.forget_shell()
        try:
            return self._send_command(channel)
        except WSManFaultError:
            self.sent = False
            raise

    def _send_command(self, channel: Channel) -> tuple[str, str]:
        self._check()
        shell = channel.shell()
        with self._lock:
            self._check()
            self.sent = True
        try:
            command = channel.request(
                # No console: a program's standard input is a pipe, which has an end.
                lambda wire: wire.run_command(
                    shell, self._program, [self._arguments], console_mode_stdin=False
                )
            )
        except faults.EXPECTED as error:
            if not faults.is_answer(error):
                # Without a connection, or without being let in, no command gets anywhere.
                refused = isinstance(error, AuthenticationError)
                self.sent = channel.was_connected and not refused
                channel.give_up_shell()
            raise
        with self._lock:
            self._running = (shell, command)
        return shell, command

    def _feed(self, channel: Channel, shell: str, command: str) -> None:
        for start in range(0, len(self._stdin) or 1, STDIN_CHUNK):
            self._check()
            chunk = self._stdin[start : start + STDIN_CHUNK]
            last = start + STDIN_CHUNK >= len(self._stdin)
            waits = iter(self._patience.reconnect)
            while True:
                try:
                    channel.request(
                        lambda wire, chunk=chunk, last=last: wire.send_command_input(  # type: ignore[misc]
                            shell, command, chunk, end=last
                        )
                    )
                    break
                except WSManFaultError as fault:
                    if not faults.is_busy(fault):
                        # The program did not wait for its input; its output and exit code tell why.
                        return
                    # Nothing was taken, and the program goes on waiting for it.
                    wait = next(waits, None)
                    if wait is None:
                        raise
                    self._stopped.wait(wait)
                    self._check()

    def _collect(self, channel: Channel, shell: str, command: str) -> Completed:
        stdout = bytearray()
        stderr = bytearray()
        waits = iter(self._patience.reconnect)
        while True:
            self._check()
            try:
                out, err, exit_code, done = channel.request(
                    lambda wire: wire.get_command_output_raw(shell, command)
                )
            except WinRMOperationTimeoutError:
                waits = iter(self._patience.reconnect)
                continue
            except faults.EXPECTED as error:
                self._check()
                wait = next(waits, None)
                if wait is None or not faults.is_broken_connection(error):
                    raise
                self._stopped.wait(wait)
                continue
            self._check()
            waits = iter(self._patience.reconnect)
            if out:
                stdout += out
                self._emit("stdout", out)
            if err:
                stderr += err
                self._emit("stderr", err)
            if done:
                return Completed(exit_code, bytes(stdout), bytes(stderr))

    def _clean_up(self, channel: Channel, shell: str, command: str) -> None:
        """Without this the node keeps every command until its shell ends."""
        try:
            channel.request(lambda wire: wire.cleanup_command(shell, command))
        except faults.EXPECTED as error:
            if faults.is_shell_gone(error):
                channel.forget_shell()

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped
