"""A download site of the test's own: without some package, or with a gate in the way.

A run that works races with the test that does something to it. Behind a closed gate it works and
cannot get any further than staging, however slow the machine is: the test goes first.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import octotui_lab
from tests.command_line import Lab

PACKAGES = Path(octotui_lab.__file__).parent / "packages"


class PackageSite:
    """The packages of ``folder``; each download goes on once the gate is open."""

    def __init__(self, folder: Path) -> None:
        self.gate = threading.Event()
        handler = partial(_Handler, directory=str(folder), gate=self.gate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def serve(self, lab: Lab) -> None:
        """Has runs of the lab download from here."""
        url = f"http://127.0.0.1:{self._server.server_port}/Octopus.{{version}}-x64.msi"
        text = lab.profile.read_text()
        lab.profile.write_text(re.sub(r'package_url = ".*"', f'package_url = "{url}"', text))

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def site_with_gate(lab: Lab) -> Iterator[threading.Event]:
    """The lab's runs stay in staging, at work, until the gate that this gives is set."""
    site = PackageSite(PACKAGES)
    try:
        site.serve(lab)
        yield site.gate
    finally:
        site.close()


@contextmanager
def site_without(version: str, lab: Lab, folder: Path) -> Iterator[None]:
    """The lab's runs find every package but that one."""
    folder.mkdir()
    for package in PACKAGES.glob("*.msi"):
        if version not in package.name:
            shutil.copy(package, folder)
    site = PackageSite(folder)
    site.gate.set()
    try:
        site.serve(lab)
        yield
    finally:
        site.close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, gate: threading.Event, **options: Any) -> None:
        self._gate = gate
        super().__init__(*arguments, **options)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Sends the body: a byte now and then while the gate is closed, so that nobody gives up."""
        while not self._gate.wait(1.0) and (byte := source.read(1)):
            outputfile.write(byte)
        super().copyfile(source, outputfile)

    def log_message(self, format: str, *arguments: Any) -> None:
        """What failed is seen by the run."""
