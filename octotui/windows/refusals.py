"""What each of the agent's error codes means to a person (``docs/agent.md``)."""

from __future__ import annotations

from octotui.api.errors import NodeError

#: Code to (what it means, what to do next); the agent's own message says what happened.
REFUSALS: dict[str, tuple[str, str]] = {
    "bad-request": (
        "octotui and its agent on the node do not understand each other",
        "Report this as a fault of octotui, with the run's log",
    ),
    "not-elevated": (
        "The account octotui connects with lacks an administrator's rights there, or Windows "
        "filters them out",
        "Use an account in the node's Administrators group; of local accounts Windows accepts "
        "only the built-in Administrator from afar unless LocalAccountTokenFilterPolicy is 1",
    ),
    "not-installed": (
        "There is nothing to upgrade on that host, or its installation is damaged",
        "Take the host out of the profile, or install Octopus Server there first",
    ),
    "no-such-instance": (
        "The profile names an instance that this host does not have",
        "Correct `instance` of this node in the profile; "
        "`Octopus.Server.exe list-instances` names those there are",
    ),
    "folder-not-ours": (
        "Whoever made that folder could put a program into it that octotui runs as administrator",
        "Look at who made it and what is in it, then remove it and try again",
    ),
    "file-missing": (
        "A file that should be on the node is not there",
        "Find out what removed it (a virus scanner?), then try again",
    ),
    "busy": (
        "Another installation or database upgrade of octotui is running on that host",
        "Wait for its end, then try again",
    ),
    "job-conflict": (
        "Two runs use the same name for different work",
        "Report this as a fault of octotui, with the run's log",
    ),
    "no-such-job": (
        "The node knows nothing of that job; its octotui folder may have been emptied",
        "Look at what is true on the node, then go on from there",
    ),
}
_OTHERS = ("", "Put the cause right on the node, then try again")


def refusal(code: str, message: str, detail: dict[str, object], node: str) -> NodeError:
    """The error to raise for a refusal of the agent."""
    meaning, next_step = REFUSALS.get(code, _OTHERS)
    return NodeError(
        message.strip().rstrip(".") or f"the agent refused with {code}",
        code=code,
        detail=detail,
        node=node,
        meaning=meaning,
        next_step=next_step,
    )
