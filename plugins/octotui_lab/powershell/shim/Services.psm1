# The service cmdlets. A simulated host has no services but those the world knows.
Set-StrictMode -Version 3

function Get-LabService([string]$Name) {
    $states = @{ 'running' = 'Running'; 'stopped' = 'Stopped'; 'starting' = 'StartPending'; 'stopping' = 'StopPending' }
    $starts = @{ 'automatic' = 'Automatic'; 'automatic-delayed' = 'Automatic'; 'manual' = 'Manual'; 'disabled' = 'Disabled' }
    foreach ($service in (Request-LabWorld 'services').services) {
        if ($service.name -like $Name) {
            $found = [pscustomobject]@{
                Name = $service.name; ServiceName = $service.name; DisplayName = $service.display_name
                Status = $states[$service.state]; StartType = $starts[$service.start_type]
            }
            $found.PSObject.TypeNames.Insert(0, 'System.ServiceProcess.ServiceController')
            $found
        }
    }
}

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$Name = '*')
    foreach ($one in $Name) {
        $found = @(Get-LabService $one)
        if ($found.Count -eq 0 -and -not [wildcardpattern]::ContainsWildcardCharacters($one)) {
            Write-LabError $PSCmdlet "Cannot find any service with service name '$one'." 'NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand' 'ObjectNotFound' $one
        }
        $found
    }
}

function Start-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$Name)
    $answer = Request-LabWorld 'start-service' @{ name = $Name }
    if (-not $answer.started) {
        Write-LabError $PSCmdlet $answer.message 'StartServiceFailed,Microsoft.PowerShell.Commands.StartServiceCommand' 'OpenError' $Name
    }
}

function Stop-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$Name, [switch]$Force, [switch]$NoWait)
    $answer = Request-LabWorld 'stop-service' @{ name = $Name }
    if (-not $answer.stopped) {
        Write-LabError $PSCmdlet $answer.message 'StopServiceFailed,Microsoft.PowerShell.Commands.StopServiceCommand' 'CloseError' $Name
    }
}

function Set-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$Name, [ValidateSet('Automatic', 'Manual', 'Disabled')][string]$StartupType)
    if ($StartupType) {
        $null = Request-LabWorld 'set-start-type' @{ name = $Name; start_type = $StartupType.ToLowerInvariant() }
    }
}

Export-ModuleMember -Function Get-Service, Start-Service, Stop-Service, Set-Service
