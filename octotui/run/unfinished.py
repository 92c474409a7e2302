"""Runs that changed a cluster and were never carried to an end: nothing new may begin on them."""

from __future__ import annotations

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.run.journal import JournalError
from octotui.run.lock import ClusterBusy
from octotui.run.reading import ReadingJournal
from octotui.upgrade.phases import FINAL


class ClusterLeftUnfinished(ClusterBusy):
    """A run that nobody carries out now has changed the cluster and has not ended for good.

    What a new run would find is that run's own doing; it would be put back "as found" at the end.
    """

    def __init__(self, run: RunDirectory) -> None:
        OctotuiError.__init__(
            self,
            f"run {run.run_id} has changed this cluster and has not ended",
            left="Nothing was done",
            next_step=f"Carry it to its end, or have it put the old version back: "
            f"octotui resume {run.run_id}. If the cluster was put right by hand, move that run's "
            f"directory away: {run.path}",
        )
        self.holder = run.run_id


def refuse_unfinished(own_run: str, *, installation_id: str = "", cluster_url: str = "") -> None:
    """Raises ClusterLeftUnfinished where another run of that cluster is open and changed it.

    A cluster is known by its installation id, or by its address while it does not answer.
    Journals that cannot be read are passed over: they prove nothing.
    """
    for run in RunDirectory.all():
        if run.run_id == own_run:
            continue
        try:
            concerned = _left_changed(run, installation_id, cluster_url)
        except (JournalError, KeyError, TypeError, ValueError):
            continue
        if concerned:
            raise ClusterLeftUnfinished(run)


def _left_changed(run: RunDirectory, installation_id: str, cluster_url: str) -> bool:
    journal = ReadingJournal(run.journal, run.run_id)
    state, plan = journal.last("state"), journal.last("plan")
    if state is None or plan is None or state.data["to"] in FINAL or not state.data["changed"]:
        return False
    if installation_id:
        return bool(plan.data["installation_id"] == installation_id)
    return bool(plan.data["cluster_url"] == cluster_url)
