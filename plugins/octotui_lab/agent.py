"""The agent's operations answered in Python, as ``agent.ps1`` answers them on a real node.

Contract: ``docs/agent.md``. A contract test holds both to equal answers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from octotui_lab import agent_facts, agent_jobs, agent_parking, host_files
from octotui_lab.agent_errors import AgentError, Parameters, checked_file_name
from octotui_lab.hosts import WindowsHost

Result: TypeAlias = dict[str, Any]

_BODY_LIMIT = 65536
_ANY_HOST = re.compile(r"^(\w+://)[*+](?=[:/]|$)")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


async def answer(host: WindowsHost, operation: str, stdin: bytes, user: str) -> str:
    """Carries one call out and returns what the agent prints, markers included."""
    try:
        told = {"ok": True, "result": await _carry_out(host, operation, stdin, user)}
    except AgentError as error:
        told = _refusal(error)
    except OSError as error:
        told = _refusal(AgentError("failed", str(error)))
    return framed(told)


def framed(told: Result) -> str:
    """An answer between its marker lines, in ASCII."""
    return f"<<<octotui-answer\n{json.dumps(told)}\noctotui-answer>>>\n"


def prepare(host: WindowsHost) -> str:
    """What ``prepare.ps1`` does and prints."""
    directory = host.octotui_directory
    directory.mkdir(parents=True, exist_ok=True)
    agent = directory / "agent.ps1"
    sha256 = host_files.sha256_of(agent) if agent.exists() else ""
    result = {"directory": str(directory), "agent_path": str(agent), "agent_sha256": sha256}
    return framed({"ok": True, "result": result})


def _refusal(error: AgentError) -> Result:
    told = {"code": error.code, "message": error.message, "detail": error.detail}
    return {"ok": False, "error": told}


async def _carry_out(host: WindowsHost, operation: str, stdin: bytes, user: str) -> Result:
    if operation not in _OPERATIONS:
        raise AgentError("bad-request", f"unknown operation {operation}")
    told = _OPERATIONS[operation](host, _request(stdin), user)
    return told if isinstance(told, dict) else await told


def _request(stdin: bytes) -> Parameters:
    if not stdin.strip():
        raise AgentError("bad-request", "there is no request on standard input")
    try:
        text = base64.b64decode(stdin.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise AgentError("bad-request", "the request is not base64 of UTF-8") from None
    try:
        request = json.loads(text)
    except json.JSONDecodeError:
        raise AgentError("bad-request", "the request is not JSON") from None
    return Parameters(request).object("parameters")


async def _facts(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    agent_facts.assert_installed(host)
    for name in agent_facts.instance_names(host):
        await agent_facts.read_instance(host, name, user)
    return agent_facts.facts(host, user)


def _services(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    return agent_facts.services(host)


def _prove_file(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    path, expected = parameters.text("path"), parameters.text("sha256").lower()
    wanted = parameters.text("signer")
    file = Path(path)
    if not file.is_file():
        proof = {"exists": False, "size": 0, "sha256": "", "signature": "", "signer": ""}
        return {"path": path, **proof, "proved": False, "reasons": ["the file does not exist"]}
    found = host_files.sha256_of(file)
    status, signer = host.signature(path, found)
    if wanted == "same-as-installed":
        wanted = _installed_signer(host)
    reasons = []
    if found != expected:
        reasons.append("its hash is not the one expected")
    if status != "Valid":
        reasons.append(f"its signature is {status}")
    if not wanted:
        reasons.append("the installed Octopus.Server.exe is not signed")
    elif signer != wanted:
        reasons.append(f"its signer is {signer}, not {wanted}")
    return {
        "path": path,
        "exists": True,
        "size": file.stat().st_size,
        "sha256": found,
        "signature": status,
        "signer": signer,
        "proved": not reasons,
        "reasons": reasons,
    }


def _installed_signer(host: WindowsHost) -> str:
    agent_facts.assert_installed(host)
    return host.signature(str(host.executable), host_files.sha256_of(host.executable))[1]


def _park(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    return agent_parking.park(host)


def _unpark(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    return agent_parking.unpark(host)


def _job_start(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    return agent_jobs.start(host, parameters, user)


async def _job_status(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    return await agent_jobs.status(host, parameters)


async def _local_request(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    instance = await agent_facts.read_instance(host, parameters.text("instance"), user)
    path, api_key = parameters.text("path"), parameters.text("api_key")
    headers = {"X-Octopus-ApiKey": api_key} if api_key else {}
    if not instance["listen_prefixes"]:
        return {"status": 0, "body": ""}
    base = _ANY_HOST.sub(r"\1localhost", instance["listen_prefixes"][0]).rstrip("/")
    status, body = await host.network.get(f"{base}/{path.lstrip('/')}", headers)
    return {"status": status, "body": body[:_BODY_LIMIT]}


def _log(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    path, limit = parameters.text("path"), int(parameters.number("limit"))
    allowed = (str(host.octotui_directory), str(host.home))
    normal = os.path.normpath(path)
    if not any(normal.startswith(folder + os.sep) for folder in allowed):
        raise AgentError(
            "bad-request", f"{path} is neither below the octotui folder nor an instance's home"
        )
    file = Path(normal)
    if not file.is_file():
        return {"text": ""}
    return {"text": _tail(file.read_bytes(), limit)}


def _tail(data: bytes, limit: int) -> str:
    """The last bytes of a text, never beginning in the middle of a UTF-16 unit."""
    if limit <= 0:
        return ""
    encoding = _BYTE_ORDER_MARKS.get(data[:2]) or _BYTE_ORDER_MARKS.get(data[:3]) or "utf-8"
    if encoding != "utf-16":
        return data[-limit:].decode("utf-8", "replace").removeprefix("\ufeff")
    little = data[:2] == b"\xff\xfe"
    body = data[2:]
    kept = body[len(body) - min(len(body), limit // 2 * 2) :]
    return kept.decode("utf-16-le" if little else "utf-16-be", "replace")


def _unstage(host: WindowsHost, parameters: Parameters, user: str) -> Result:
    removed = []
    for name in parameters.texts("file_names"):
        file = host.octotui_directory / "packages" / checked_file_name(name)
        if file.is_file():
            file.unlink()
            removed.append(name)
    return {"removed": removed}


_OPERATIONS: dict[str, Callable[[WindowsHost, Parameters, str], Result | Awaitable[Result]]] = {
    "facts": _facts,
    "services": _services,
    "prove-file": _prove_file,
    "park": _park,
    "unpark": _unpark,
    "job-start": _job_start,
    "job-status": _job_status,
    "request": _local_request,
    "log": _log,
    "unstage": _unstage,
}
