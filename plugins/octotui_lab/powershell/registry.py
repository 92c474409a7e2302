"""The node's registry: the file that the engine's ``HKLM:`` drive shows, from the world's keys."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octotui_lab.powershell.world_client import ask

_ROOTS = {"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER"}


def refresh_registry(file: Path, control_url: str, node_name: str) -> None:
    """Makes the file say what the world's registry says now. Blocks. Raises WorldError."""
    text = json.dumps(registry_tree(ask(control_url, node_name, "registry")["keys"]))
    try:
        if file.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        pass
    # Whole or not at all: scripts read it at any moment.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(name).replace(file)


def registry_tree(keys: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    r"""The provider's nested form of ``{"HKLM\A\B": {VALUE: data}}``.

    Keys are one in spite of their case, under the spelling met first, as Windows has it.
    """
    tree: dict[str, Any] = {"HKEY_LOCAL_MACHINE": {"keys": {}}, "HKEY_CURRENT_USER": {"keys": {}}}
    for path, values in keys.items():
        root, *names = path.replace("HKLM:", "HKLM").strip("\\").split("\\")
        node = tree[_ROOTS.get(root.upper(), root.upper())]
        for name in names:
            children = node.setdefault("keys", {})
            spelling = next((known for known in children if known.lower() == name.lower()), name)
            node = children.setdefault(spelling, {})
        node.setdefault("values", {}).update({name: _typed(data) for name, data in values.items()})
    return tree


def _typed(data: object) -> dict[str, object]:
    if isinstance(data, bool | int):
        return {"type": "DWord", "data": int(data)}
    if isinstance(data, list | tuple):
        return {"type": "MultiString", "data": [str(item) for item in data]}
    return {"type": "String", "data": str(data)}
