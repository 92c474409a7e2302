"""The system report of a lab's server: a zip like the one that Octopus' support asks for.

What is really in one is not documented. Here are the parts that matter to whoever hands one on:
logs and settings with secrets in them, text in UTF-16, a zip within the zip, and a file that is no
text.
"""

from __future__ import annotations

import io
import json
import zipfile

from octotui_lab import octopus_resources as resources
from octotui_lab.world import World

#: Secrets of the lab's server, as they stand in its files.
DATABASE_PASSWORD = "Lab-db;pass 'word'"
MASTER_KEY = "bGFiLW1hc3Rlci1rZXktMQ=="


def system_report(world: World, node: str, api_key: str) -> bytes:
    """The report of the node that answers, as a zip."""
    settings = {
        "Octopus.Storage.MasterKey": MASTER_KEY,
        "Octopus.Storage.ExternalDatabaseConnectionString": "Server=SQL1;Database=Octopus;"
        f'User ID=octopus;Password="{DATABASE_PASSWORD}";Trust Server Certificate=true',
        "Octopus.Server.NodeName": node,
    }
    log = (
        f"{resources.iso(world.schedule.now)} INFO  Octopus Server {world.serving_version(node)}\n"
        f"{resources.iso(world.schedule.now)} INFO  GET /api X-Octopus-ApiKey: {api_key}\n"
        f"{resources.iso(world.schedule.now)} WARN  Slow query: 1203 ms\n"
    )
    return _zipped(
        {
            "SystemInfo.json": _json(resources.system_info(world, node)),
            "Nodes.json": _json([row.name for row in world.summary()]),
            "Configuration.json": _json(settings),
            f"Logs/{node}/OctopusServer.txt": log.encode(),
            f"Logs/{node}/Setup.log": f"Property(S): MASTERKEY = {MASTER_KEY}\r\n".encode("utf-16"),
            "Tasks.zip": _zipped({"ServerTasks-1.txt": f"used key {api_key}\n".encode()}),
            "memory.dmp": b"MDMP" + bytes(200) + api_key.encode(),
        }
    )


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2).encode()


def _zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()
