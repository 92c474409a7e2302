# The scheduled task cmdlets. Octopus's own tasks are the world's; those that a script registers live
# in the engine, and what they run runs there in a runspace of its own, under its principal's name.
Set-StrictMode -Version 3

function New-LabTask([string]$Path, [string]$Name, [bool]$Enabled, [string]$State, $Actions, $Principal) {
    $task = [pscustomobject]@{
        TaskPath = $Path; TaskName = $Name; State = $(if ($Enabled) { $State } else { 'Disabled' })
        Settings = [pscustomobject]@{ Enabled = $Enabled }; Actions = @($Actions); Principal = $Principal
    }
    $task.PSObject.TypeNames.Insert(0, 'Microsoft.Management.Infrastructure.CimInstance#Root/Microsoft/Windows/TaskScheduler/MSFT_ScheduledTask')
    $task
}

function Get-LabTask([string]$Path, [string]$Name) {
    foreach ($task in (Request-LabWorld 'scheduled-tasks').tasks) {
        if ($task.path -like $Path -and $task.name -like $Name) {
            New-LabTask $task.path $task.name $task.enabled 'Ready' ([pscustomobject]@{ Execute = $task.action; Arguments = '' }) $null
        }
    }
    foreach ($task in @($OctotuiLab.Registered.Values)) {
        if ($task.TaskPath -like $Path -and $task.TaskName -like $Name) {
            New-LabTask $task.TaskPath $task.TaskName $true $task.State $task.Actions $task.Principal
        }
    }
}

function Resolve-LabTask($Cmdlet, [string]$Path, [string]$Name) {
    $found = @(Get-LabTask $Path $Name)
    if ($found.Count -eq 0 -and -not [wildcardpattern]::ContainsWildcardCharacters("$Name")) {
        Write-LabError $Cmdlet "No MSFT_ScheduledTask objects found with property 'TaskName' equal to '$Name'. Verify the value of the property and retry." 'CmdletizationQuery_NotFound_TaskName,Get-ScheduledTask' 'ObjectNotFound' $Name
    }
    $found
}

# An account as a task is given it: by name, SYSTEM by its SID too; local ones belong to this computer.
function Resolve-LabAccount([string]$Name) {
    if ($Name -in 'SYSTEM', 'S-1-5-18', 'NT AUTHORITY\SYSTEM') { return 'NT AUTHORITY\SYSTEM' }
    if ($Name -match '[\\@]') { return $Name }
    return "$env:COMPUTERNAME\$Name"
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$TaskName = '*', [Parameter(Position = 1)][string[]]$TaskPath = '*')
    foreach ($path in $TaskPath) { foreach ($name in $TaskName) { Resolve-LabTask $PSCmdlet $path $name } }
}

function Set-LabTaskEnabled($Cmdlet, [string]$Path, [string]$Name, [bool]$Enabled) {
    foreach ($task in @(Resolve-LabTask $Cmdlet $Path $Name)) {
        $null = Request-LabWorld 'set-task-enabled' @{ name = $task.TaskName; enabled = $Enabled }
        Get-LabTask $task.TaskPath $task.TaskName
    }
}

function Enable-ScheduledTask {
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][string]$TaskName,
        [Parameter(ParameterSetName = 'Name')][string]$TaskPath = '\',
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'Object')]$InputObject
    )
    process {
        if ($InputObject) { $TaskName = $InputObject.TaskName; $TaskPath = $InputObject.TaskPath }
        Set-LabTaskEnabled $PSCmdlet $TaskPath $TaskName $true
    }
}

function Disable-ScheduledTask {
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][string]$TaskName,
        [Parameter(ParameterSetName = 'Name')][string]$TaskPath = '\',
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'Object')]$InputObject
    )
    process {
        if ($InputObject) { $TaskName = $InputObject.TaskName; $TaskPath = $InputObject.TaskPath }
        Set-LabTaskEnabled $PSCmdlet $TaskPath $TaskName $false
    }
}

function New-ScheduledTaskAction {
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$Execute, [string]$Argument = '', [string]$WorkingDirectory = '')
    [pscustomobject]@{ Execute = $Execute; Arguments = $Argument; WorkingDirectory = $WorkingDirectory }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)][string]$UserId,
        [ValidateSet('None', 'Password', 'S4U', 'Interactive', 'Group', 'ServiceAccount', 'InteractiveOrPassword')][string]$LogonType = 'None',
        [ValidateSet('Limited', 'Highest')][string]$RunLevel = 'Limited'
    )
    [pscustomobject]@{ UserId = $UserId; LogonType = $LogonType; RunLevel = $RunLevel }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param(
        [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries, [switch]$StartWhenAvailable, [switch]$Hidden,
        [switch]$DontStopOnIdleEnd, [timespan]$ExecutionTimeLimit, [string]$MultipleInstances, [int]$Priority, [string]$Compatibility
    )
    [pscustomobject]@{ Enabled = $true; ExecutionTimeLimit = $ExecutionTimeLimit; MultipleInstances = $MultipleInstances }
}

function New-ScheduledTask {
    [CmdletBinding()]
    param([object[]]$Action, $Principal, $Settings, [string]$Description, [object[]]$Trigger)
    [pscustomobject]@{ Actions = $Action; Principal = $Principal; Settings = $Settings; Description = $Description }
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\',
        [object[]]$Action, $Principal, $Settings, [string]$Description, [object[]]$Trigger, $InputObject,
        [string]$User, [string]$Password, [ValidateSet('Limited', 'Highest')][string]$RunLevel = 'Limited', [switch]$Force
    )
    if ($InputObject) { $Action = $InputObject.Actions; $Principal = $InputObject.Principal }
    if (-not $Principal) { $Principal = [pscustomobject]@{ UserId = $(if ($User) { $User } else { Get-LabIdentity }); LogonType = 'Password'; RunLevel = $RunLevel } }
    elseif ($User) { $Principal.UserId = $User }
    $path = '\' + $TaskPath.Trim('\')
    if ($path -ne '\') { $path += '\' }
    $task = [hashtable]::Synchronized(@{
            TaskPath = $path; TaskName = $TaskName; Actions = $Action; Principal = $Principal; State = 'Ready'; LastTaskResult = 267011
            Identity = (Resolve-LabAccount $Principal.UserId)
        })
    if ($Force) { $OctotuiLab.Registered[$path + $TaskName] = $task }
    elseif (-not $OctotuiLab.Registered.TryAdd($path + $TaskName, $task)) {
        Write-LabError $PSCmdlet 'Cannot create a file when that file already exists.' 'HRESULT 0x800700b7,Register-ScheduledTask' 'ResourceExists' $TaskName
        return
    }
    Get-LabTask $path $TaskName
}

function Start-ScheduledTask {
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][string]$TaskName,
        [Parameter(Position = 1, ParameterSetName = 'Name')][string]$TaskPath = '\',
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'Object')]$InputObject
    )
    process {
        if ($InputObject) { $TaskName = $InputObject.TaskName; $TaskPath = $InputObject.TaskPath }
        $task = $null
        if (-not $OctotuiLab.Registered.TryGetValue($TaskPath + $TaskName, [ref]$task)) {
            Write-LabError $PSCmdlet 'The system cannot find the file specified.' 'HRESULT 0x80070002,Start-ScheduledTask' 'ObjectNotFound' $TaskName
            return
        }
        $task.State = 'Running'
        $OctotuiLab.Tasks.Enqueue($task)
        $null = $OctotuiLab.Wake.Set()
    }
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Name')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][string]$TaskName,
        [Parameter(Position = 1, ParameterSetName = 'Name')][string]$TaskPath = '*',
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'Object')]$InputObject
    )
    process {
        if ($InputObject) { $TaskName = $InputObject.TaskName; $TaskPath = $InputObject.TaskPath }
        $removed = $null
        foreach ($task in @(Resolve-LabTask $PSCmdlet $TaskPath $TaskName)) {
            if ($PSCmdlet.ShouldProcess($task.TaskName)) { $null = $OctotuiLab.Registered.TryRemove($task.TaskPath + $task.TaskName, [ref]$removed) }
        }
    }
}

function Get-ScheduledTaskInfo {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$TaskName, [Parameter(Position = 1)][string]$TaskPath = '\')
    $task = $null
    if ($OctotuiLab.Registered.TryGetValue($TaskPath + $TaskName, [ref]$task)) {
        [pscustomobject]@{ TaskName = $TaskName; TaskPath = $TaskPath; LastTaskResult = $task.LastTaskResult }
        return
    }
    Write-LabError $PSCmdlet 'The system cannot find the file specified.' 'HRESULT 0x80070002,Get-ScheduledTaskInfo' 'ObjectNotFound' $TaskName
}

# Only PowerShell is run, and in this very process: $PID is the engine's, which lives as long as its jobs.
function Invoke-LabTaskAction($Action) {
    $words = @([regex]::Matches("$($Action.Arguments)", '"([^"]*)"|(\S+)') | ForEach-Object { $_.Groups[1].Value + $_.Groups[2].Value })
    $at = [array]::FindIndex([string[]]$words, [Predicate[string]] { param($word) $word -eq '-File' })
    if ($Action.Execute -notmatch '(^|[\\/])powershell(\.exe)?$' -or $at -lt 0 -or $at + 1 -ge $words.Count) {
        throw "$($Action.Execute) $($Action.Arguments)"
    }
    $file = $words[$at + 1]
    $rest = @($words | Select-Object -Skip ($at + 2))
    & $file @rest
}

Export-ModuleMember -Function *-ScheduledTask*, Invoke-LabTaskAction
