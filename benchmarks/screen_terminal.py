"""A process in a pseudo terminal, and what comes out of it. Linux only: it reads /proc."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import tempfile
import termios
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: What a process writes before it draws is less than this, bytes: modes, questions, a title.
GREETING = 400

#: Compiled modules are kept, as where a program was installed; beside the sources they may not be.
_COMPILED = tempfile.TemporaryDirectory(prefix="octotui-compiled-")
_LEFT_OUT = ("NO_COLOR", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")


@dataclass
class Heard:
    """What was read: raw bytes, bytes after zlib with a flush a write, when the first came."""

    raw: int = 0
    packed: int = 0
    first: float = 0.0
    _packer: object = field(default_factory=lambda: zlib.compressobj(6), repr=False)

    def take(self, data: bytes, *, pack: bool) -> None:
        self.first = self.first or time.monotonic()
        self.raw += len(data)
        if pack:
            packer = self._packer
            self.packed += len(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))


class Terminal:
    """A child with a terminal of its own, from ``begun`` on."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 120,
        rows: int = 40,
    ) -> None:
        self.begun = time.monotonic()
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            # Before the program starts: its first frame is to have this size.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            plain = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
            os.execvpe(command[0], list(command), {
                **plain, "TERM": "xterm-256color", "COLORTERM": "truecolor",
                "TEXTUAL_ANIMATIONS": "none", "PYTHONPYCACHEPREFIX": _COMPILED.name,
                **environment,
            })  # fmt: skip

    def read(self, seconds: float) -> bytes:
        """What there is within that time; empty for nothing or an end."""
        if not select.select([self.screen], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.screen, 1 << 16)
        except OSError:  # the child is gone
            return b""

    def listen(self, seconds: float, *, pack: bool = False) -> Heard:
        """Reads for that long."""
        heard = Heard()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if data := self.read(min(left, 0.5)):
                heard.take(data, pack=pack)
        return heard

    def until(self, text: bytes, seconds: float = 30.0) -> tuple[float, float]:
        """Seconds from the start of the process to its first frame, and to that text on it."""
        seen = b""
        painted = 0.0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen += self.read(0.5)
            now = time.monotonic() - self.begun
            if not painted and len(seen) > GREETING:
                painted = now
            if painted and text in seen:
                return painted, now
        raise TimeoutError(f"{text!r} did not come; the last was {seen[-300:]!r}")

    def until_all(self, *texts: bytes, seconds: float = 30.0) -> list[float]:
        """Seconds from the start of the process until each of these texts has been shown."""
        seen, found = b"", [0.0] * len(texts)
        while time.monotonic() - self.begun < seconds:
            seen += self.read(0.5)
            now = time.monotonic() - self.begun
            found = [
                at or (now if text in seen else 0.0) for text, at in zip(texts, found, strict=True)
            ]
            if all(found):
                return found
        raise TimeoutError(f"not all of {texts!r} came; the last was {seen[-300:]!r}")

    @property
    def is_alive(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def press(self, key: bytes) -> float:
        """Seconds from a key to the first byte after it."""
        os.write(self.screen, key)
        begun = time.monotonic()
        self.read(2.0)
        return time.monotonic() - begun

    def hang_up(self) -> None:
        os.close(self.screen)

    def end(self, key: bytes = b"q", seconds: float = 10.0) -> None:
        """Presses a key that leaves, reads to the end, and kills what does not end."""
        os.write(self.screen, key)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.05)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
        else:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        self.hang_up()

    def wait(self, seconds: float) -> float | None:
        """Seconds until the process was gone; None where it outlived that time."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return time.monotonic() - begun
            time.sleep(0.005)
        return None
