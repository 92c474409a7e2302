"""What is around a log's lines: the bar at the right and the row below, and what changed there."""

from __future__ import annotations

from textual.geometry import Region, Size

from octotui.tui.widgets.log_buffer import LogBuffer
from octotui.tui.widgets.log_paint import bar, status_line
from octotui.tui.widgets.log_window import LogWindow
from octotui.tui.widgets.paint import Piece


class LogFrame:
    """As it was last told. The row below is the last of the size's."""

    def __init__(self) -> None:
        self.bar: list[Piece] = []
        self.status: list[Piece] = []

    def forget(self) -> None:
        """Nothing of it is on the screen any more."""
        self.bar, self.status = [], []

    def tell(
        self, buffer: LogBuffer, window: LogWindow, wanted: str, note: str, size: Size
    ) -> list[Region]:
        """Takes in what is so now. Returns where that is something else."""
        page, width = size.height - 1, size.width
        old, self.bar = self.bar, bar(buffer, window.top, page)
        regions = [
            Region(width - 1, y, 1, 1)
            for y in range(page)
            if y >= len(old) or old[y] != self.bar[y]
        ]
        status = status_line(
            buffer, window.following, window.new, wanted, note, window.anchor is not None, width
        )
        if status != self.status:
            self.status = status
            regions.append(Region(0, page, width, 1))
        return regions
