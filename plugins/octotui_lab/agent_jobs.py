"""Jobs: started once, running whether or not anybody is connected, told from their files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from octotui_lab.agent_errors import AgentError, Parameters
from octotui_lab.agent_run import JobEnd, JobRun
from octotui_lab.agent_work import EXCLUSIVE, KINDS
from octotui_lab.hosts import SYSTEM, WindowsHost

_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,120}")
_OUTPUT_LIMIT = 65536
_LONGEST_WAIT = 30.0
_MUTEX = "Global\\octotui"


def start(host: WindowsHost, parameters: Parameters, user: str) -> dict[str, Any]:
    """Starts a job, or answers the state of the one that has the id already."""
    job_id, kind = _checked_id(parameters), parameters.text("kind")
    job_parameters, run_as = parameters.object("parameters"), parameters.object("run_as")
    if kind not in KINDS:
        raise AgentError("bad-request", f"unknown kind of job {kind}")
    identity = _identity(host, run_as)
    folder = _folder(host, job_id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        found = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        if found["kind"] != kind:
            raise AgentError(
                "job-conflict", f"job {job_id} was started as {found['kind']}, not as {kind}"
            ) from None
        return _state(host, job_id, 0)
    _write(folder / "job.json", {"kind": kind, "parameters": job_parameters.values})
    process = {"process_id": host.new_process_id(), "started": host.world.schedule.now}
    _write(folder / "process.json", process)
    run = JobRun(host, job_id, folder, identity)
    host.in_background(job_id, _run(run, kind, job_parameters))
    return _state(host, job_id, 0)


async def status(host: WindowsHost, parameters: Parameters) -> dict[str, Any]:
    """A job's state and output, as soon as there is news."""
    job_id, offset = _checked_id(parameters), int(parameters.number("offset"))
    wait = min(parameters.number("wait"), _LONGEST_WAIT)
    if offset < 0:
        raise AgentError("bad-request", "parameter offset is negative")

    def news() -> bool:
        running = host.background.get(job_id)
        return running is None or running.output_size > offset

    await host.waiter.until(news, host.world.schedule.clock.now() + wait)
    return _state(host, job_id, offset)


async def _run(run: JobRun, kind: str, parameters: Parameters) -> None:
    host = run.host
    mutex = kind in EXCLUSIVE
    if mutex and _MUTEX in host.mutexes:
        end = JobEnd(1, {"problem": "busy"})
    else:
        if mutex:
            host.mutexes.add(_MUTEX)
        try:
            end = await KINDS[kind](run, parameters)
        except AgentError as error:
            end = JobEnd(1, {"problem": error.message})
        except OSError as error:
            end = JobEnd(1, {"problem": str(error)})
        finally:
            if mutex:
                host.mutexes.discard(_MUTEX)
    result = end.result
    if run.output_problem:
        problem = f"not all output could be kept: {run.output_problem}"
        result = {**result, "output_problem": problem}
    _write(run.folder / "end.json", {"exit_code": end.exit_code, "result": result})


def _state(host: WindowsHost, job_id: str, offset: int) -> dict[str, Any]:
    folder = _folder(host, job_id)
    state, exit_code, result = "absent", None, {}
    if folder.is_dir():
        end = folder / "end.json"
        if end.exists():
            told = json.loads(end.read_text(encoding="utf-8"))
            state, exit_code, result = "ended", told["exit_code"], told["result"]
        else:
            state = "running" if job_id in host.background else "lost"
    output = b""
    if (folder / "output.txt").is_file():
        with (folder / "output.txt").open("rb") as file:
            file.seek(offset)
            output = file.read(_OUTPUT_LIMIT)
    return {
        "id": job_id,
        "state": state,
        "exit_code": exit_code,
        "result": result,
        "output": output.decode("utf-8", "replace"),
        "next_offset": offset + len(output),
    }


def _identity(host: WindowsHost, run_as: Parameters) -> str:
    kind = run_as.text("kind")
    if kind == "system":
        return SYSTEM
    if kind == "account":
        run_as.text("password")
        return host.identity(run_as.text("username"))
    if kind == "gmsa":
        return host.identity(run_as.text("username"))
    raise AgentError("bad-request", f"unknown kind of run_as {kind}")


def _checked_id(parameters: Parameters) -> str:
    job_id = parameters.text("id")
    if not _ID.fullmatch(job_id):
        raise AgentError("bad-request", f"{job_id} is no id of a job")
    return job_id


def _folder(host: WindowsHost, job_id: str) -> Path:
    return host.octotui_directory / "jobs" / job_id


def _write(file: Path, content: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.replace(file)
