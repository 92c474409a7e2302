"""Facts about terminals: whether one can carry the full screen, losing it, copying through it.

Nothing here imports Textual: part of it has to happen before that is imported.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Final

from octotui.run.directory import state_folder

#: Seconds that a clean exit may take when the process is told to end; then it ends hard. A
#: terminal that is there has to be put in order again, however slow it is.
WATCHDOG: Final = 2.0
#: The same once the terminal is gone: there is nothing to put in order.
GONE: Final = 0.7

#: Exit code after a hang-up: the shells' 128 plus the number of the signal.
HUNG_UP: Final = 129

#: Terminals refuse longer clipboards, and some hang on them; bytes of base64.
LONGEST_COPY: Final = 74_994


def why_not(environment: Mapping[str, str], *, terminals: bool) -> str:
    """Why the full screen cannot be shown here, or an empty text.

    ``terminals``: standard input, output and error are all terminals. Textual draws on standard
    error; into a file it would write escape codes for ever.
    """
    if not terminals:
        return "there is no terminal"
    # Textual takes a dumb terminal for one with all colours.
    if environment.get("TERM", "") in ("", "dumb"):
        return "this terminal cannot move its cursor"
    return ""


def is_remote(environment: Mapping[str, str]) -> bool:
    """Whether this terminal is at the other end of an SSH connection."""
    return "SSH_CONNECTION" in environment or "SSH_TTY" in environment


def settle_environment(environment: MutableMapping[str, str]) -> None:
    """Sets what Textual reads while it is imported: no animations, few frames over SSH.

    What a person has set stays.
    """
    environment.setdefault("TEXTUAL_ANIMATIONS", "none")
    if is_remote(environment):
        environment.setdefault("TEXTUAL_FPS", "15")
        environment.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")


def exit_on_loss(leave: Callable[[int], None]) -> None:
    """Calls ``leave`` with an exit code when the terminal is gone or the process is told to end.

    Without this a hang-up kills the process in the middle, and a termination leaves the terminal
    in the alternate screen. Ignoring them instead would make Textual's input thread spin. If
    leaving hangs, because nobody reads the terminal any more, the process ends after a moment.

    A hang-up is also seen at the terminal itself: the signal only reaches those whose controlling
    terminal it is, and an event loop that is stuck in writing does not hear it.
    """
    if sys.platform == "win32":
        return  # a console window that closes ends its processes there
    loop = asyncio.get_running_loop()

    def lost(code: int) -> None:
        _end_hard_after(GONE if code == HUNG_UP else WATCHDOG, code)
        leave(code)

    for number in (signal.SIGHUP, signal.SIGTERM):
        loop.add_signal_handler(number, lost, 128 + number)

    def watch() -> None:
        if not hung_up(2):  # standard error, where Textual draws
            return
        _end_hard_after(GONE, HUNG_UP)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(leave, HUNG_UP)

    threading.Thread(target=watch, name="hang-up", daemon=True).start()


def hung_up(terminal: int) -> bool:
    """Waits until that file's other end is gone; False where there is nothing to wait for.

    A file that was closed here, or was never open, is no terminal that was lost.
    """
    poll = select.poll()
    poll.register(terminal, 0)  # a hang-up is told unasked
    return any(found & (select.POLLHUP | select.POLLERR) for _, found in poll.poll())


def _end_hard_after(seconds: float, code: int) -> None:
    watchdog = threading.Timer(seconds, os._exit, (code,))
    watchdog.daemon = True
    watchdog.start()


class Void:
    """Takes what is written to a terminal that is gone.

    Textual's writing thread dies with the terminal; then its queue fills up, and whoever writes
    next, such as a clean exit, waits for ever.
    """

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def stop(self) -> None: ...


def clipboard_sequence(text: str, *, tmux: bool) -> str:
    """What puts text into the clipboard of the person's own terminal, over SSH as well.

    tmux drops the plain form unless it is told to pass it, and the wrapped one unless it is told
    otherwise: under tmux both are sent. Empty for a text that is too long.
    """
    encoded = base64.b64encode(text.encode()).decode()
    if len(encoded) > LONGEST_COPY:
        return ""
    plain = f"\x1b]52;c;{encoded}\x07"
    wrapped = "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return plain + wrapped if tmux else plain


def yank(text: str) -> Path | None:
    """Keeps a copied text in a file too: no terminal ever says whether it took it."""
    return _keep("yank.txt", text)


def keep_fault(text: str) -> Path | None:
    """Keeps where in the code a defect was met, for whoever mends it."""
    return _keep("cockpit-fault.txt", text)


def _keep(name: str, text: str) -> Path | None:
    path = state_folder() / name
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
    return None
