# Runs what a started scheduled task names, detached from whoever started it and as its principal.
param($Task)
$global:OctotuiLabTask = $Task
$env:OCTOTUI_LAB_IDENTITY = $Task.Identity
$global:LASTEXITCODE = 0
try {
    foreach ($action in $Task.Actions) { Invoke-LabTaskAction $action }
    $Task.LastTaskResult = $global:LASTEXITCODE
    # The world sees packages that a task laid down; other changes it made itself.
    $null = Request-LabWorld 'note-staged'
}
catch { $Task.LastTaskResult = 1 }
finally { $Task.State = 'Ready' }
