# Get-CimInstance over the classes that tell about services, processes, disks and the system.
Set-StrictMode -Version 3

function Get-CimInstance {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)][string]$ClassName,
        [string]$Namespace = 'root/cimv2',
        [string]$Filter,
        [string[]]$Property
    )
    $found = switch ($ClassName) {
        'Win32_Service' { Get-LabCimService }
        'Win32_Process' { Get-LabCimProcess }
        'Win32_OperatingSystem' { Get-LabCimSystem }
        'Win32_ComputerSystem' { Get-LabCimComputer }
        'Win32_LogicalDisk' { Get-LabCimDisk }
        'Win32_Volume' { Get-LabCimVolume }
        default {
            Write-LabError $PSCmdlet 'Invalid class ' 'HRESULT 0x80041010,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand' 'MetadataError' $ClassName
            return
        }
    }
    if ($Filter) {
        try { $test = ConvertFrom-LabQuery $Filter }
        catch {
            Write-LabError $PSCmdlet "Invalid query : $_" 'HRESULT 0x80041017,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand' 'InvalidArgument' $Filter
            return
        }
        $found = @($found) | Where-Object { Test-LabQuery $test $_ }
    }
    $found
}

function New-LabCimInstance([string]$Class, [System.Collections.IDictionary]$Values) {
    $instance = [pscustomobject]$Values
    $instance.PSObject.TypeNames.Insert(0, "Microsoft.Management.Infrastructure.CimInstance#root/cimv2/$Class")
    $instance
}

function Get-LabCimService {
    $modes = @{ 'automatic' = 'Auto'; 'automatic-delayed' = 'Auto'; 'manual' = 'Manual'; 'disabled' = 'Disabled' }
    $states = @{ 'running' = 'Running'; 'stopped' = 'Stopped'; 'starting' = 'Start Pending'; 'stopping' = 'Stop Pending' }
    foreach ($service in (Request-LabWorld 'services').services) {
        New-LabCimInstance 'Win32_Service' ([ordered]@{
                Name = $service.name; DisplayName = $service.display_name; State = $states[$service.state]
                Status = 'OK'; Started = ($service.state -eq 'running'); StartMode = $modes[$service.start_type]
                DelayedAutoStart = ($service.start_type -eq 'automatic-delayed'); ProcessId = [uint32]$service.process_id
                StartName = $service.account; PathName = $service.path
            })
    }
}

function Get-LabCimProcess {
    $own = [System.Diagnostics.Process]::GetCurrentProcess()
    New-LabCimInstance 'Win32_Process' ([ordered]@{
            ProcessId = [uint32]$own.Id; Name = 'powershell.exe'; CreationDate = $own.StartTime
            CommandLine = 'powershell.exe'; ExecutablePath = 'powershell.exe'; ParentProcessId = [uint32]1
        })
    foreach ($process in (Request-LabWorld 'processes').processes) {
        New-LabCimInstance 'Win32_Process' ([ordered]@{
                ProcessId = [uint32]$process.process_id; Name = $process.name
                CreationDate = ConvertFrom-LabTime $process.started; CommandLine = $process.command_line
                ExecutablePath = Get-LabExecutable $process.command_line; ParentProcessId = [uint32]1
            })
    }
}

function Get-LabExecutable([string]$CommandLine) {
    if ($CommandLine -match '^"([^"]*)"') { return $Matches[1] }
    return ($CommandLine -split ' ')[0]
}

function Get-LabCimSystem {
    $system = Request-LabWorld 'system' @{ user = (Get-LabIdentity) }
    New-LabCimInstance 'Win32_OperatingSystem' ([ordered]@{
            Caption = $system.os; Version = '10.0.20348'; BuildNumber = '20348'; CSName = $system.computer
            LastBootUpTime = ConvertFrom-LabTime $system.boot_time; LocalDateTime = ConvertFrom-LabTime $system.time
            SystemDrive = $OctotuiLab.Root; ProductType = [uint32]3
        })
}

function Get-LabCimComputer {
    $system = Request-LabWorld 'system' @{ user = (Get-LabIdentity) }
    New-LabCimInstance 'Win32_ComputerSystem' ([ordered]@{ Name = $system.computer; Domain = 'LAB'; PartOfDomain = $true })
}

function Get-LabCimDisk {
    foreach ($disk in (Request-LabWorld 'disks').disks) {
        New-LabCimInstance 'Win32_LogicalDisk' ([ordered]@{
                DeviceID = $disk.name; DriveType = [uint32]3; FreeSpace = [uint64]$disk.free; Size = [uint64]$disk.size; FileSystem = 'NTFS'
            })
    }
}

function Get-LabCimVolume {
    foreach ($disk in (Request-LabWorld 'disks').disks) {
        New-LabCimInstance 'Win32_Volume' ([ordered]@{
                Name = $disk.root.TrimEnd('/') + '/'; DriveLetter = $disk.name; DriveType = [uint32]3
                FreeSpace = [uint64]$disk.free; Capacity = [uint64]$disk.size; FileSystem = 'NTFS'
            })
    }
}

# The conditions of WQL that people write: NAME OP VALUE, joined by AND and OR, AND binding closer.
function ConvertFrom-LabQuery([string]$Text) {
    $token = "(?<name>\w+)\s*(?<op>=|<>|!=|<=|>=|<|>|\bLIKE\b)\s*(?<value>'(?:[^'\\]|\\.)*'|""(?:[^""\\]|\\.)*""|\w+)"
    $groups = @()
    foreach ($group in [regex]::Split($Text, '\s+OR\s+(?=\(?\w+\s*(?:=|<|>|!|LIKE))', 'IgnoreCase')) {
        $conditions = @()
        foreach ($part in [regex]::Split($group, '\s+AND\s+(?=\(?\w+\s*(?:=|<|>|!|LIKE))', 'IgnoreCase')) {
            $match = [regex]::Match($part, "^\s*\(?\s*$token\s*\)?\s*$", 'IgnoreCase')
            if (-not $match.Success) { throw $part }
            $value = $match.Groups['value'].Value
            if ($value -match '^[''"]') { $value = $value.Substring(1, $value.Length - 2) -replace '\\(.)', '$1' }
            $conditions += , @($match.Groups['name'].Value, $match.Groups['op'].Value.ToUpperInvariant(), $value)
        }
        $groups += , $conditions
    }
    , $groups
}

function Test-LabQuery($Groups, $Instance) {
    foreach ($group in $Groups) {
        $all = $true
        foreach ($condition in $group) {
            $property = $Instance.PSObject.Properties[$condition[0]]
            if ($null -eq $property) { throw "$($condition[0])" }
            $actual = $property.Value
            $wanted = $condition[2]
            $holds = switch ($condition[1]) {
                '=' { "$actual" -eq $wanted }
                '<>' { "$actual" -ne $wanted }
                '!=' { "$actual" -ne $wanted }
                'LIKE' { "$actual" -like ([System.Management.Automation.WildcardPattern]::Escape($wanted) -replace '%', '*' -replace '_', '?') }
                '<' { [double]$actual -lt [double]$wanted }
                '>' { [double]$actual -gt [double]$wanted }
                '<=' { [double]$actual -le [double]$wanted }
                '>=' { [double]$actual -ge [double]$wanted }
            }
            if (-not $holds) { $all = $false; break }
        }
        if ($all) { return $true }
    }
    return $false
}

Export-ModuleMember -Function Get-CimInstance
