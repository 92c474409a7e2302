"""How a person left the run's screen, so that it comes back like that: ``cockpit.json``.

In the state folder. A file that cannot be read or written changes nothing but that.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from octotui.run.directory import state_folder
from octotui.tui.widgets.node_rows import Sort

#: Tenths of the height that the log may have beside the tables.
LEAST_LOG, MOST_LOG = 2, 8


@dataclass(slots=True)
class Layout:
    """``log_tenths`` of the height are the log's, the others the tables'. ``steps``: the table of

    steps was open rather than the nodes.
    """

    log_tenths: int = 5
    wrapped: bool = False
    sort: Sort = "state"
    steps: bool = False


def layout_file() -> Path:
    return state_folder() / "cockpit.json"


def read_layout(path: Path) -> Layout:
    """As it was left; the defaults for what is not there, or is nothing that we write."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Layout()
    layout = Layout()
    for field in fields(Layout):
        value = data.get(field.name) if isinstance(data, dict) else None
        if type(value) is type(getattr(layout, field.name)) and _makes_sense(field.name, value):
            setattr(layout, field.name, value)
    return layout


def _makes_sense(name: str, value: Any) -> bool:
    if name == "log_tenths":
        return bool(LEAST_LOG <= value <= MOST_LOG)
    return name != "sort" or value in get_args(Sort)


def write_layout(path: Path, layout: Layout) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(layout)), encoding="utf-8")
