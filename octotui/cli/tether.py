"""Ending with whoever started this process: told by the end of standard input, which they hold.

A screen that is killed can end nobody. Its children notice by themselves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Final

import click

_STANDARD_INPUT: Final = 0


def end_with_input() -> None:
    """Has this process end as if it were told to, once its standard input has come to its end.

    On Windows that leaves no time to clean up.
    """
    threading.Thread(target=_wait, name="tether", daemon=True).start()


def _wait() -> None:
    # Not by sys.stdin: its lock would be held for ever, and Python wants it when it ends.
    with contextlib.suppress(OSError):
        while os.read(_STANDARD_INPUT, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _told(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        end_with_input()


#: Only when told: `octotui bundle < /dev/null` is a usual way to start it from a script.
tethered = click.option(
    "--tethered", is_flag=True, hidden=True, expose_value=False, callback=_told,
    help="End with standard input.",
)  # fmt: skip
