"""The primitive calls of a host by name, with JSON-able arguments and results, for the shim.

=================  ==========================  ====================================================
name               args                        result
=================  ==========================  ====================================================
system             user                        computer, os, powershell, identity, elevated, time,
                                               boot_time
services                                       services: [{name, display_name, state, start_type,
                                               process_id, account, path}] (start_type as in
                                               octotui.api.facts, path the command line)
start-service      name                        started, message: waits as Start-Service does
stop-service       name                        stopped, message: waits as Stop-Service does
set-start-type     name, start_type            {}
scheduled-tasks                                tasks: [{name, path, enabled, action}]
set-task-enabled   name, enabled               {}
registry                                       keys: {KEY: {VALUE: data}}
processes                                      processes: [{process_id, name, command_line,
                                               started}]
kill-process       process_id                  {}
file-version       path                        version ("" where the file has none)
signature          path, sha256                status, signer (subject or ""); proves the file (R5)
disks                                          disks: [{name, free, size, root}]
installer-busy                                 busy (the mutex _MSIExecute)
program-start      argv, user                  id. argv[0] ends with msiexec.exe or
                                               Octopus.Server.exe
program-wait       id, offset, wait            lines (from that index), exit_code or None; waits up
                                               to ``wait`` seconds for news
sql-start          statement, identity         id. identity: the account of the job's run_as
sql-wait           id, offset, wait            done, rows, messages (from that index), error
note-staged                                    {}: tells the world of new files in packages
=================  ==========================  ====================================================

A program or statement is forgotten once its end was told.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from octotui_lab.model.program import Program
from octotui_lab.model.sql import Statement
from octotui_lab.model.state import StartType

if TYPE_CHECKING:
    from octotui_lab.hosts import WindowsHost

Json: TypeAlias = dict[str, Any]

#: How long Start-Service and Stop-Service wait before they give up (lab seconds).
_SERVICE_PATIENCE = 60.0


class HostCalls:
    """The dispatcher of one host, with the programs and statements that were begun through it."""

    def __init__(self, host: WindowsHost) -> None:
        self._host = host
        self._numbers = itertools.count(1)
        self._programs: dict[int, Program] = {}
        self._statements: dict[int, Statement] = {}
        self._calls: dict[str, Callable[[Json], Json | Awaitable[Json]]] = {
            "system": lambda a: host.system(_text(a, "user")),
            "services": lambda a: {"services": host.services()},
            "start-service": self._start_service,
            "stop-service": self._stop_service,
            "set-start-type": self._set_start_type,
            "scheduled-tasks": lambda a: {"tasks": host.scheduled_tasks()},
            "set-task-enabled": self._set_task_enabled,
            "registry": lambda a: {"keys": host.registry()},
            "processes": lambda a: {"processes": host.processes()},
            "kill-process": self._kill_process,
            "file-version": lambda a: {"version": host.file_version(_text(a, "path"))},
            "signature": self._signature,
            "disks": lambda a: {"disks": host.disks()},
            "installer-busy": lambda a: {"busy": host.installer_busy()},
            "program-start": self._program_start,
            "program-wait": self._program_wait,
            "sql-start": self._sql_start,
            "sql-wait": self._sql_wait,
            "note-staged": self._note_staged,
        }

    async def call(self, name: str, args: Json) -> Json:
        """Raises ValueError for an unknown name or a bad argument, with a sentence."""
        if name not in self._calls:
            raise ValueError(f"unknown call {name!r}; there are {', '.join(self._calls)}")
        answer = self._calls[name](args)
        return answer if isinstance(answer, dict) else await answer

    async def _start_service(self, args: Json) -> Json:
        problem = self._host.start_service(_text(args, "name"))
        if not problem:
            await self._service_settles("starting")
        started = self._host.node.service.state == "running"
        return {"started": started, "message": problem}

    async def _stop_service(self, args: Json) -> Json:
        self._host.stop_service(_text(args, "name"))
        await self._service_settles("stopping")
        return {"stopped": self._host.node.service.state == "stopped", "message": ""}

    async def _service_settles(self, passing: str) -> None:
        host = self._host
        clock = host.world.schedule.clock
        limit = clock.now() + _SERVICE_PATIENCE / clock.speed
        await host.waiter.until(lambda: host.node.service.state != passing, limit)

    def _set_start_type(self, args: Json) -> Json:
        start_type = _text(args, "start_type")
        for known in get_args(StartType):
            if known == start_type:
                self._host.set_start_type(_text(args, "name"), known)
                return {}
        raise ValueError(f"unknown start type {start_type!r}")

    def _set_task_enabled(self, args: Json) -> Json:
        self._host.set_task_enabled(_text(args, "name"), bool(_get(args, "enabled")))
        return {}

    def _kill_process(self, args: Json) -> Json:
        self._host.kill_process(int(_get(args, "process_id")))
        return {}

    def _signature(self, args: Json) -> Json:
        status, signer = self._host.signature(_text(args, "path"), _text(args, "sha256"))
        return {"status": status, "signer": signer}

    def _program_start(self, args: Json) -> Json:
        argv = [str(argument) for argument in _get(args, "argv")]
        name, user = (argv[0].lower() if argv else ""), _text(args, "user")
        if name.endswith("msiexec.exe"):
            program = self._host.start_msiexec(argv[1:], user)
        elif name.endswith("octopus.server.exe"):
            try:
                program = self._host.start_octopus_server(argv[1:], user)
            except FileNotFoundError as error:
                raise ValueError(f"{error} is not installed") from error
        else:
            raise ValueError(f"the lab has no program {name!r}")
        number = next(self._numbers)
        self._programs[number] = program
        return {"id": number}

    async def _program_wait(self, args: Json) -> Json:
        number, offset = int(_get(args, "id")), int(_get(args, "offset"))
        program = self._programs.get(number)
        if program is None:
            raise ValueError(f"there is no program {number}")
        await self._news(lambda: len(program.lines) > offset or program.exit_code is not None, args)
        exit_code = program.exit_code
        if exit_code is not None:
            del self._programs[number]
            self._host.keep_log(program)
        return {"lines": program.lines[offset:], "exit_code": exit_code}

    def _sql_start(self, args: Json) -> Json:
        number = next(self._numbers)
        host = self._host
        self._statements[number] = host.world.start_sql(
            host.name, _text(args, "statement"), _text(args, "identity")
        )
        return {"id": number}

    async def _sql_wait(self, args: Json) -> Json:
        number, offset = int(_get(args, "id")), int(args.get("offset", 0))
        statement = self._statements.get(number)
        if statement is None:
            raise ValueError(f"there is no statement {number}")
        await self._news(lambda: len(statement.messages) > offset or statement.done, args)
        if statement.done:
            del self._statements[number]
        return {
            "done": statement.done,
            "rows": statement.rows,
            "messages": statement.messages[offset:],
            "error": statement.error,
        }

    def _note_staged(self, args: Json) -> Json:
        self._host.notice_staged()
        return {}

    async def _news(self, condition: Callable[[], bool], args: Json) -> None:
        limit = self._host.world.schedule.clock.now() + float(_get(args, "wait"))
        await self._host.waiter.until(condition, limit)


def _get(args: Json, name: str) -> Any:
    if name not in args:
        raise ValueError(f"the argument {name!r} is missing")
    return args[name]


def _text(args: Json, name: str) -> str:
    value = _get(args, name)
    if not isinstance(value, str):
        raise ValueError(f"the argument {name!r} is no text")
    return value
