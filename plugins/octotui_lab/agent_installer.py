"""The jobs that run Windows Installer, and what they prove before and after."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from octotui_lab import host_files
from octotui_lab.agent_errors import AgentError, Parameters, checked_argument
from octotui_lab.agent_run import JobEnd, JobRun
from octotui_lab.hosts import WindowsHost

_SUCCESS = frozenset({0, 1641, 3010})
_MEANING = {
    1602: "it was cancelled; nothing was changed",
    1603: "a fatal error; its log says which",
    1605: "that product is not installed",
    1612: "the source of the installed package is not available",
    1618: "another installation is running",
    1619: "the package cannot be opened",
    1620: "the package is damaged",
    1625: "a policy of this host forbids it",
    1638: "another version of this product is installed already",
    1639: "its command line is invalid",
}
_PRODUCT_CODE = re.compile(r"\{[0-9A-Fa-f-]{36}\}")
#: The line of a log at which the first action failed, and how many lines before it tell why.
_FAILURE, _LINES_BEFORE = "Return value 3", 10
_SERVER = "Octopus.Server.exe"


async def msi_install(run: JobRun, parameters: Parameters) -> JobEnd:
    """Installs a package whose hash is proved right before."""
    path, expected = parameters.text("path"), parameters.text("sha256").lower()
    directory = parameters.text("install_directory").rstrip("\\/")
    checked_argument(path)
    checked_argument(directory)
    wanted = parameters.text("version") if "version" in parameters.values else ""
    log = run.folder / "msi.log"
    result: dict[str, Any] = {"version": "", "product_code": "", "log": str(log), "missing": []}
    if problem := _not_the_package(path, expected):
        return JobEnd(1, {**result, "problem": problem})
    properties = ["RUNMANAGERONEXIT=no", f'INSTALLLOCATION="{directory}"']
    installed = run.host.file_version(f"{directory}/{_SERVER}")
    if wanted and run.host.node.product_code and installed in {"", wanted}:
        # Windows copies nothing of a package that is installed already, unless it is told to.
        properties += ["REINSTALL=ALL", "REINSTALLMODE=amus"]
    exit_code = await _msiexec(run, ["/i", f'"{path}"'], log, properties)
    problem = _problem(exit_code)
    result["version"] = run.host.file_version(f"{directory}/{_SERVER}")
    result["product_code"] = run.host.node.product_code
    if result["version"]:
        result["missing"] = _missing(run.host)
    if not problem and not result["version"]:
        problem = f"msiexec ended with {exit_code}, but {_SERVER} is not in {directory}"
    if not problem and result["missing"]:
        problem = f"msiexec ended with {exit_code}, but {len(result['missing'])} files are missing"
    return JobEnd(exit_code, {**result, "problem": problem})


async def msi_uninstall(run: JobRun, parameters: Parameters) -> JobEnd:
    """Uninstalls the product of that code."""
    code, log = parameters.text("product_code"), run.folder / "msi.log"
    if not _PRODUCT_CODE.fullmatch(code):
        raise AgentError("bad-request", f"{code} is no product code")
    exit_code = await _msiexec(run, ["/x", code], log, [])
    return JobEnd(exit_code, {"log": str(log), "problem": _problem(exit_code)})


def package_problem(file: Path, expected: str, size: int | None) -> str:
    """What is wrong with a package on the host; empty where it is the one expected."""
    if not file.is_file():
        return "is not there"
    if size is not None and file.stat().st_size != size:
        return f"has {file.stat().st_size} bytes, not {size}"
    if (found := host_files.sha256_of(file)) != expected:
        return f"has the hash {found}, not {expected}"
    return ""


def _not_the_package(path: str, expected: str) -> str:
    if not Path(path).is_file():
        return f"there is no file {path}"
    problem = package_problem(Path(path), expected, None)
    return f"{path} {problem}" if problem else ""


async def _msiexec(run: JobRun, what: list[str], log: Path, properties: list[str]) -> int:
    arguments = [*what, "/quiet", "/norestart", "/l*v", f'"{log}"', *properties]
    run.write(" ".join(("msiexec.exe", *arguments)))
    exit_code = await run.host.msiexec(arguments, run.identity)
    if exit_code not in _SUCCESS:
        _write_failure(run, log)
    return exit_code


def _write_failure(run: JobRun, log: Path) -> None:
    """The lines of the log where the reason stands."""
    if not log.exists():
        return
    lines = log.read_text(encoding="utf-16").splitlines()
    for number, line in enumerate(lines):
        if _FAILURE in line:
            for told in lines[max(0, number - _LINES_BEFORE) : number + 1]:
                run.write(told)
            return


def _missing(host: WindowsHost) -> list[str]:
    """The files of the manifest that are not there: an installer's success proves nothing."""
    manifest = host.install_directory / host_files.MANIFEST
    if not manifest.exists():
        return [host_files.MANIFEST]
    names = [
        re.split(r"[\t|]", line)[0].strip()
        for line in manifest.read_text(encoding="utf-8").splitlines()
    ]
    return [name for name in names if name and not (host.install_directory / name).exists()]


def _problem(exit_code: int) -> str:
    if exit_code in _SUCCESS:
        return ""
    meaning = _MEANING.get(exit_code)
    return f"msiexec ended with {exit_code}" + (f": {meaning}" if meaning else "")
