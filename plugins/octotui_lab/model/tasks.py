"""Server tasks: what runs on the nodes, how it ends, and what keeps it from ending."""

from __future__ import annotations

from octotui_lab.model.state import Cluster, Node, ServerTask, TaskState
from octotui_lab.schedule import Course

#: How often a task that waits for a person looks whether that person has been (lab seconds).
_LOOK_AGAIN = 5.0
#: Old tasks are forgotten beyond this number, as retention does.
_KEPT = 200


def pick_up(cluster: Cluster, node: Node) -> None:
    """An idle node that serves takes the next task of the queue, unless it drains.

    In maintenance mode nobody queues any more, so that there is nothing to take.
    """
    row = cluster.database.rows[node.name]
    if not node.service.serving or row.draining or row.task_cap == 0:
        return
    if cluster.database.maintenance or cluster.running_tasks(node.name):
        return
    number = int(cluster.tasks[-1].id.split("-")[1]) + 1 if cluster.tasks else 4001
    cluster.tasks.append(
        ServerTask(
            id=f"ServerTasks-{number}",
            description=f"Deploy Shop release 1.{number - 4000} to Production",
            state="Executing",
            node=node.name,
            queued=cluster.now,
            started=cluster.now,
        )
    )
    del cluster.tasks[:-_KEPT]


def pick_up_soon(cluster: Cluster, node: Node) -> None:
    """After the queue's poll interval."""
    cluster.schedule.after(cluster.durations.task_pick_up, lambda: pick_up(cluster, node))


def drain(cluster: Cluster, node: Node) -> None:
    """The running tasks of a node that takes no new ones end, each by itself."""
    for task in cluster.running_tasks(node.name):
        cluster.schedule.follow(_finish(cluster, node, task))


def waits_for_person(cluster: Cluster, task: ServerTask) -> bool:
    """Whether the task waits for a manual intervention: the oldest running one, by the fault."""
    if not cluster.faults.has("cluster", "task-waits-for-person"):
        return False
    oldest = next((t for t in cluster.tasks if t.state == "Executing"), None)
    return task is oldest


def cancel(cluster: Cluster, task: ServerTask) -> None:
    """Begins to cancel a task, which takes a moment."""
    if task.state != "Executing":
        return
    task.state = "Cancelling"
    cluster.truth.act(cluster.now, task.node, "task-cancel", task=task.id)
    cluster.schedule.after(cluster.durations.task_cancel, lambda: _end(cluster, task, "Canceled"))


def process_gone(cluster: Cluster, node: Node) -> None:
    """Tasks die with the process that ran them."""
    for task in cluster.running_tasks(node.name):
        _end(cluster, task, "Failed")


def _finish(cluster: Cluster, node: Node, task: ServerTask) -> Course:
    slow = 10.0 if cluster.faults.has("cluster", "slow-drain") else 1.0
    yield cluster.seconds(node, cluster.durations.drain) * slow
    while waits_for_person(cluster, task):
        yield _LOOK_AGAIN
    if task.state == "Executing":
        _end(cluster, task, "Success")
        pick_up_soon(cluster, node)


def _end(cluster: Cluster, task: ServerTask, state: TaskState) -> None:
    if task.running:
        task.state = state
        task.ended = cluster.now
