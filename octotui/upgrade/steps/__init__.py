"""The kinds of steps, by their stable names."""

from octotui.upgrade.steps.base import Step
from octotui.upgrade.steps.cluster import (
    DrainAsFound,
    DrainOn,
    MaintenanceAsFound,
    MaintenanceOn,
    Smoke,
    WaitForTasks,
)
from octotui.upgrade.steps.database import NoteLastSeen, UpgradeDatabase
from octotui.upgrade.steps.finishing import CheckAsFound, KeepInstallerLog
from octotui.upgrade.steps.installing import BeginBackup, InstallTarget, TakeBackup
from octotui.upgrade.steps.rolling_back import ProveSchemaUnchanged, Reinstall
from octotui.upgrade.steps.staging import Download, ProveStaged, Stage, Unstage
from octotui.upgrade.steps.starting import Start, Unpark, WaitUntilServing
from octotui.upgrade.steps.stopping import Park, ReadyToStop, Stop

KINDS: dict[str, Step] = {
    step.kind: step
    for step in (
        Download(),
        Stage(),
        ProveStaged(),
        MaintenanceOn(),
        DrainOn(),
        WaitForTasks(),
        Park(),
        ReadyToStop(),
        Stop(),
        NoteLastSeen(),
        InstallTarget(),
        BeginBackup(),
        TakeBackup(),
        UpgradeDatabase(),
        Start(),
        WaitUntilServing(),
        Unpark(),
        DrainAsFound(),
        Smoke(),
        MaintenanceAsFound(),
        Unstage(),
        CheckAsFound(),
        KeepInstallerLog(),
        ProveSchemaUnchanged(),
        Reinstall(),
    )
}

__all__ = ["KINDS", "Step"]
