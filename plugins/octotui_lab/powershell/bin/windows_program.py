"""A Windows program of a simulated node: msiexec.exe, Octopus.Server.exe, sc.exe, icacls.exe.

Run by a two-line shell script of that name. Asks the lab's world for what the program does, prints
what it says and ends with its exit code. Imports little and nothing of the lab: it starts often.
"""

import json
import os
import socket
import sys

#: Seconds that one question waits for the program's news.
_WAIT = 20


def ask(call: str, arguments: dict) -> dict:
    """One primitive call of this node's world. Raises OSError with the world's own words."""
    address = os.environ["OCTOTUI_LAB_CONTROL"].removeprefix("http://").rstrip("/")
    host, _, port = address.rpartition(":")
    body = json.dumps(arguments).encode()
    head = (
        f"POST /windows/{os.environ['OCTOTUI_LAB_NODE']}/{call} HTTP/1.0\r\nHost: {address}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, content = answer.partition(b"\r\n\r\n")
    if status.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError(content.decode("utf-8", "replace") or f"no answer to {call}")
    return json.loads(content)


def run_in_world(argv: list[str]) -> int:
    """Runs the program in the world, its lines printed as they come."""
    user = os.environ.get("OCTOTUI_LAB_IDENTITY", "")
    program = ask("program-start", {"argv": argv, "user": user})["id"]
    offset = 0
    while True:
        news = ask("program-wait", {"id": program, "offset": offset, "wait": _WAIT})
        for line in news["lines"]:
            sys.stdout.write(line + "\r\n")
        sys.stdout.flush()
        offset += len(news["lines"])
        if news["exit_code"] is not None:
            return int(news["exit_code"])


_START_TYPES = {
    "auto": "automatic",
    "delayed-auto": "automatic-delayed",
    "demand": "manual",
    "disabled": "disabled",
}


def service_control(arguments: list[str]) -> int:
    """sc.exe: ``config NAME start= TYPE``, ``query``, ``start`` and ``stop`` of a service."""
    verb, name = (arguments + ["", ""])[:2]
    services = {service["name"]: service for service in ask("services", {})["services"]}
    if name not in services:
        print(f"[SC] OpenService FAILED 1060: {name} is not an installed service.")
        return 1060
    words = arguments[2:]
    if verb == "config" and "start=" in words[:-1]:
        word = words[words.index("start=") + 1]
        if word in _START_TYPES:
            ask("set-start-type", {"name": name, "start_type": _START_TYPES[word]})
            print("[SC] ChangeServiceConfig SUCCESS")
            return 0
    if verb == "query":
        print(f"SERVICE_NAME: {name}\n        STATE : {services[name]['state'].upper()}")
        return 0
    if verb in ("start", "stop"):
        answer = ask(f"{verb}-service", {"name": name})
        print(answer["message"])
        return 0 if answer["started" if verb == "start" else "stopped"] else 1
    print(f"[SC] {' '.join(arguments)}: not understood")
    return 1639


def main(argv: list[str]) -> int:
    """The program that ``argv[0]`` names; its 32-bit exit code."""
    program = argv[0].rpartition("/")[2].lower()
    if program == "sc.exe":
        return service_control(argv[1:])
    if program == "icacls.exe":
        # Ownership and rights of the lab's folders are those of the person who runs it.
        print("Successfully processed 1 files; Failed processing 0 files")
        return 0
    return run_in_world(argv)


def leave(code: int) -> None:
    """Ends with the code. Only eight bits of it get through here, so the shim finds it in a file."""
    sys.stdout.flush()
    if not 0 <= code <= 255:
        folder = os.path.join(os.environ["OCTOTUI_LAB_ROOT"], ".exit-codes")  # noqa: PTH118
        with open(os.path.join(folder, str(os.getpid())), "w") as file:  # noqa: PTH118, PTH123
            file.write(str(code))
    os._exit(code & 0xFF or (1 if code else 0))


if __name__ == "__main__":
    try:
        leave(main(sys.argv[1:]))
    except OSError as error:
        sys.stderr.write(f"{sys.argv[1]}: {error}\n")
        leave(100)
