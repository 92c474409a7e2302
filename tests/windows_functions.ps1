# Windows' own cmdlets over the files of $env:WORLD, and a loop that runs scripts among them:
#   serve            lines of JSON in {"script", "arguments", "lines"}, out {"exit", "stdout"}
#   job AGENT ID     what a scheduled task runs, in a process of its own
param([string]$Mode, [string]$First, [string]$Second)
$ErrorActionPreference = 'Stop'

function Get-WorldText([string]$Name) {
    $file = Join-Path $env:WORLD $Name
    if ([System.IO.File]::Exists($file)) { return [System.IO.File]::ReadAllText($file) }
    return ''
}

function Set-WorldText([string]$Name, [string]$Text) {
    [System.IO.File]::WriteAllText((Join-Path $env:WORLD $Name), $Text)
}

function Add-WorldLine([string]$Name, [string]$Text) {
    [System.IO.File]::AppendAllText((Join-Path $env:WORLD $Name), "$Text`n")
}

function Get-CimInstance {
    [CmdletBinding()]
    param([string]$ClassName, [string]$Filter)
    Add-WorldLine 'cim' "$ClassName $Filter"
    switch ($ClassName) {
        'Win32_Service' {
            foreach ($folder in @(Get-ChildItem (Join-Path $env:WORLD 'services') -Directory)) {
                $in = { param($name) Get-WorldText "services/$($folder.Name)/$name" }
                $type = & $in 'start_type'
                $state = & $in 'state'
                $found = [pscustomobject]@{
                    Name = $folder.Name; State = @{ stopped = 'Stopped'; running = 'Running'; paused = 'Paused'; stopping = 'Stop Pending'; starting = 'Start Pending' }[$state]
                    StartMode = @{ automatic = 'Auto'; 'automatic-delayed' = 'Auto'; manual = 'Manual'; disabled = 'Disabled' }[$type]
                    ProcessId = [uint32]$(if ($state -eq 'running') { 4711 } else { 0 })
                    StartName = 'LocalSystem'; PathName = '"C:\Octopus.Server.exe" run --instance="' + (& $in 'instance') + '"'
                }
                if (& $in 'path') { $found.PathName = & $in 'path' }
                # Windows Server before 2016 has no such property.
                if (-not (Get-WorldText 'old-windows')) { $found | Add-Member NoteProperty DelayedAutoStart ($type -eq 'automatic-delayed') }
                if (-not $Filter -or $found.PathName -like '*Octopus.Server.exe*') { $found }
            }
        }
        'Win32_Process' {
            if ($Filter -like 'ProcessId*') {
                $ending = Get-WorldText 'ends-meanwhile'
                if ($ending) { [System.IO.File]::WriteAllText((Join-Path $ending 'end.json'), '{"exit_code": 0, "result": {"problem": ""}}') }
                $id = [int]($Filter -split ' ')[2]
                if (Test-Path (Join-Path $env:WORLD "process-$id")) {
                    [pscustomobject]@{ ProcessId = [uint32]$id; CreationDate = [DateTimeOffset]::FromUnixTimeSeconds(1000).LocalDateTime }
                }
                else {
                    foreach ($real in @(Get-Process -Id $id -ErrorAction SilentlyContinue)) { [pscustomobject]@{ ProcessId = [uint32]$id; CreationDate = $real.StartTime } }
                }
            }
            foreach ($line in @((Get-WorldText 'processes') -split "`n" | Where-Object { $_ -and $Filter -like 'Name*' })) {
                [pscustomobject]@{ ProcessId = [uint32]($line -split ' ')[0]; Name = 'Octopus.Server.exe'; CommandLine = $line.Substring($line.IndexOf(' ') + 1) }
            }
        }
        'Win32_OperatingSystem' { [pscustomobject]@{ Caption = 'Windows Server'; LastBootUpTime = [DateTimeOffset]::FromUnixTimeSeconds(1000).LocalDateTime } }
        'Win32_Volume' {
            [pscustomobject]@{ Name = '/'; DriveLetter = 'C:'; FreeSpace = [uint64]5000; Capacity = [uint64]9000 }
            [pscustomobject]@{ Name = (Join-Path $env:ProgramData ''); DriveLetter = $null; FreeSpace = [uint64]100; Capacity = [uint64]200 }
            [pscustomobject]@{ Name = '/media/empty'; DriveLetter = 'D:'; FreeSpace = $null; Capacity = $null }
            [pscustomobject]@{ Name = $null; DriveLetter = $null; FreeSpace = [uint64]1; Capacity = [uint64]2 }
        }
    }
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([string]$TaskName, [string]$TaskPath)
    foreach ($file in @(Get-ChildItem (Join-Path $env:WORLD 'tasks') -File | Where-Object { $_.Name -like $TaskName })) {
        [pscustomobject]@{ TaskName = $file.Name -replace ' elsewhere$'; TaskPath = $(if ($file.Name -like '* elsewhere') { '\Theirs\' } else { '\' }); Settings = [pscustomobject]@{ Enabled = (Get-WorldText "tasks/$($file.Name)") -eq 'true' } }
    }
}
# Without a path it takes every task of that name, in whatever folder.
function Set-WorldTask([string]$TaskPath, [string]$TaskName, [string]$Enabled) {
    switch (Get-WorldText 'tasks-deny') {
        '' { }
        'com' { throw [System.Runtime.InteropServices.COMException]::new('Access is denied.', -2147024891) }
        'broken' { throw [System.Runtime.InteropServices.COMException]::new('The service is stopped.', -2147024890) }
        default { throw [System.UnauthorizedAccessException]::new('Access is denied.') }
    }
    if (Get-WorldText 'tasks-lie') { return }
    Set-WorldText "tasks/$TaskName" $Enabled
    $elsewhere = "tasks/$TaskName elsewhere"
    if (-not $TaskPath -and (Get-WorldText $elsewhere)) { Set-WorldText $elsewhere $Enabled }
}
function Enable-ScheduledTask { param([string]$TaskPath, [string]$TaskName) Set-WorldTask $TaskPath $TaskName 'true' }
function Disable-ScheduledTask { param([string]$TaskPath, [string]$TaskName) Set-WorldTask $TaskPath $TaskName 'false' }
function Test-WorldTask([string]$Name) { return @((Get-WorldText 'registered') -split "`n" | Where-Object { $_.StartsWith("$Name|") }).Count -gt 0 }
function New-ScheduledTaskAction { param([string]$Execute, [string]$Argument) @{ Execute = $Execute; Argument = $Argument } }
function New-ScheduledTaskPrincipal { param([string]$UserId, [string]$LogonType, [string]$RunLevel) "$UserId $LogonType $RunLevel" }
function New-ScheduledTaskSettingsSet { param([switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries, [timespan]$ExecutionTimeLimit, [int]$Priority) "$ExecutionTimeLimit $Priority $AllowStartIfOnBatteries $DontStopIfGoingOnBatteries" }
function Register-ScheduledTask {
    param([string]$TaskPath, [string]$TaskName, $Action, $Settings, $Principal, [string]$User, [string]$Password, [string]$RunLevel)
    if (Get-WorldText 'task-refused') { throw (Get-WorldText 'task-refused') }
    Add-WorldLine 'registered' "$TaskPath$TaskName|$Principal|$User|$Password|$RunLevel|$Settings|$($Action.Execute)|$($Action.Argument)"
}
function Start-ScheduledTask {
    param([string]$TaskPath, [string]$TaskName)
    $line = @((Get-WorldText 'registered') -split "`n" | Where-Object { $_.StartsWith("$TaskPath$TaskName|") })
    if ($line.Count -eq 0) { throw 'The system cannot find the file specified.' }
    $agent = [regex]::Match($line[-1], '-File "([^"]+)"').Groups[1].Value
    switch (Get-WorldText 'task-mode') {
        'never' { }
        'process' { Start-Process -FilePath $env:PWSH -ArgumentList "-NoProfile -File `"$PSCommandPath`" job `"$agent`" $TaskName" }
        default { & $agent 'job-run' $TaskName }
    }
}
function Get-ScheduledTaskInfo {
    param([string]$TaskPath, [string]$TaskName)
    if (-not (Test-WorldTask "$TaskPath$TaskName")) { throw 'The system cannot find the file specified.' }
    $late = Get-WorldText 'begins-late'
    if ($late) { [System.IO.File]::WriteAllText((Join-Path $late 'process.json'), '{"process_id": 4000077, "started": 1000}') }
    [pscustomobject]@{ LastTaskResult = 267011 }
}
function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess)]
    param([string]$TaskPath, [string]$TaskName)
    # Asks, and fails where nobody can answer; so does one that is not there.
    if ($ConfirmPreference -ne 'None' -and -not $PSBoundParameters.ContainsKey('Confirm')) { throw 'Windows PowerShell is in NonInteractive mode.' }
    if (-not (Test-WorldTask "$TaskPath$TaskName")) { Write-Error "No task $TaskName found." }
    Add-WorldLine 'unregistered' "$TaskPath$TaskName"
}

# Another start of the same job that is quicker: it is there before ours.
function New-Item {
    param([string]$ItemType, [string]$Path, [switch]$Force)
    switch (Get-WorldText 'new-item-fails') {
        '' { }
        'denied' { throw [System.UnauthorizedAccessException]::new('Access to the path is denied.') }
        default { throw [System.IO.IOException]::new('The disk is full.') }
    }
    Microsoft.PowerShell.Management\New-Item @PSBoundParameters
    $other = Get-WorldText 'another-start'
    if ($other -and (Split-Path -Leaf $Path) -like '_*') {
        $folder = Join-Path (Split-Path -Parent $Path) $other
        $null = [System.IO.Directory]::CreateDirectory($folder)
        [System.IO.File]::WriteAllText((Join-Path $folder 'job.json'), '{"kind": "stop", "parameters": {}}')
        [System.IO.File]::WriteAllText((Join-Path $folder 'end.json'), '{"exit_code": 7, "result": {"problem": "of the other"}}')
        [System.IO.File]::WriteAllText((Join-Path $folder 'output.txt'), 'said')
    }
}

# Somebody who empties a file as soon as it may be written to.
function Write-LikeAnAttacker([string]$Path) {
    if (-not (Get-WorldText 'attacker')) { return }
    try { $stream = [System.IO.FileStream]::new($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Write, [System.IO.FileShare]::None) }
    catch [System.IO.IOException] { return }
    $stream.SetLength(0)
    $stream.Dispose()
}

function Get-AuthenticodeSignature {
    param([string]$LiteralPath)
    if ($LiteralPath -like '*.msi') { Write-LikeAnAttacker $LiteralPath }
    $signer = Get-WorldText 'signer'
    if (Test-Path "$LiteralPath.signer") { $signer = [System.IO.File]::ReadAllText("$LiteralPath.signer") }
    $status = 'NotSigned'
    $certificate = $null
    if ($signer) {
        $status = 'Valid'
        $certificate = [pscustomobject]@{ Subject = $signer }
    }
    [pscustomobject]@{ Status = $status; SignerCertificate = $certificate }
}

function Get-Acl {
    param([string]$LiteralPath)
    $sddl = Get-WorldText 'sddl'
    if (-not $sddl) { $sddl = 'O:BAG:DUD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)' }
    [pscustomobject]@{ Sddl = $sddl }
}

Update-TypeData -Force -TypeName System.IO.FileInfo -MemberType ScriptProperty -MemberName VersionInfo -Value {
    [pscustomobject]@{ FileVersion = Get-WorldText 'version' }
}
# A process of which Windows does not say how it ended.
Update-TypeData -Force -TypeName System.Diagnostics.Process -MemberType ScriptProperty -MemberName ExitCode -Value {
    if (Get-WorldText 'no-exit-code') { return }
    # Programs end with eight bits here, those of Windows with more.
    if (Get-WorldText 'whole-exit-code') { return [int](Get-WorldText 'whole-exit-code') }
    $this.psbase.ExitCode
}

# A connection to a SQL Server that answers from world/sql.json: {statement's beginning: rows or error}.
function New-Object {
    param([string]$TypeName, [object[]]$ArgumentList)
    if ($TypeName -ne 'System.Data.SqlClient.SqlConnection') {
        if ($TypeName -eq 'System.Threading.Mutex') {
            $refused = Get-WorldText 'mutex-refused'
            if ($refused) { throw (Microsoft.PowerShell.Utility\New-Object -TypeName $refused -ArgumentList 'The mutex is refused.') }
            $ArgumentList[1] = $ArgumentList[1] + ($env:WORLD -replace '[\\/]', '_')
        }
        return Microsoft.PowerShell.Utility\New-Object -TypeName $TypeName -ArgumentList $ArgumentList
    }
    Set-WorldText 'connection-string' $ArgumentList[0]
    $connection = [pscustomobject]@{ Handlers = [System.Collections.Generic.List[object]]::new(); FireInfoMessageEventOnUserErrors = $false; Reading = $false }
    $connection | Add-Member ScriptMethod Open {
        if (Get-WorldText 'sql-down') { throw 'A network-related error occurred.' }
        Add-WorldLine 'connections' 'opened'
    }
    $connection | Add-Member ScriptMethod Close { Add-WorldLine 'connections' 'closed' }
    $connection | Add-Member ScriptMethod add_InfoMessage { param($handler) $this.Handlers.Add($handler) }
    $connection | Add-Member ScriptMethod remove_InfoMessage { param($handler) $null = $this.Handlers.Remove($handler) }
    $connection | Add-Member ScriptMethod CreateCommand {
        $command = [pscustomobject]@{ Connection = $this; CommandText = ''; CommandTimeout = 30 }
        $command | Add-Member ScriptMethod ExecuteReader {
            Add-WorldLine 'statements' $this.CommandText
            if ($this.Connection.Reading) { throw 'There is already an open DataReader associated with this Connection.' }
            if (Get-WorldText 'sql-refuses') { throw "Refused with Password=hunter2;" }
            $all = ConvertFrom-Json (Get-WorldText 'sql.json')
            $rows = @(foreach ($entry in $all.PSObject.Properties) { if ($this.CommandText.StartsWith($entry.Name)) { $entry.Value } })
            $this.Connection.Reading = $true
            $reader = [pscustomobject]@{ Connection = $this.Connection; Rows = $rows; At = -1; FieldCount = @($rows[0].PSObject.Properties).Count }
            $reader | Add-Member ScriptMethod Read { $this.At++; $this.At -lt $this.Rows.Count }
            $reader | Add-Member ScriptMethod GetName { param($column) @($this.Rows[$this.At].PSObject.Properties)[$column].Name }
            $reader | Add-Member ScriptMethod GetValue { param($column) @($this.Rows[$this.At].PSObject.Properties)[$column].Value }
            $reader | Add-Member ScriptMethod IsDBNull { param($column) $null -eq @($this.Rows[$this.At].PSObject.Properties)[$column].Value }
            $reader | Add-Member ScriptMethod Close { $this.Connection.Reading = $false }
            $reader
        }
        $command | Add-Member ScriptMethod ExecuteNonQuery {
            Add-WorldLine 'statements' $this.CommandText
            # A backup takes longer than any limit, but for none.
            if ($this.CommandTimeout -ne 0) { throw 'Execution Timeout Expired.' }
            $errors = @([pscustomobject]@{ Message = '5 percent processed.'; Class = 10 })
            $of = Get-WorldText 'sql-error-of'
            if ($this.CommandText -match "DISK = N'(/.+?)'" -and (Test-Path (Split-Path -Parent $Matches[1]))) { [System.IO.File]::WriteAllText($Matches[1], 'backup') }
            if ((Get-WorldText 'sql-error') -and $this.CommandText.StartsWith($of)) { $errors += [pscustomobject]@{ Message = Get-WorldText 'sql-error'; Class = 11 } }
            if (-not $this.Connection.FireInfoMessageEventOnUserErrors -and $errors.Count -gt 1) { throw $errors[1].Message }
            foreach ($handler in $this.Connection.Handlers) { & $handler $this.Connection ([pscustomobject]@{ Errors = $errors }) }
            -1
        }
        $command
    }
    $connection
}

if ($Mode -eq 'job') {
    & $First 'job-run' $Second
    exit 0
}
while ($null -ne ($line = [Console]::In.ReadLine())) {
    $request = ConvertFrom-Json $line
    $arguments = @($request.arguments)
    $global:LASTEXITCODE = 0
    $printed = @($request.lines | & $request.script @arguments *>&1 | ForEach-Object { "$_" }) -join "`n"
    [Console]::Out.WriteLine((ConvertTo-Json @{ exit = $LASTEXITCODE; stdout = "$printed`n" } -Compress))
}
