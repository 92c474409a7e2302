# Objects of Windows' .NET that have no counterpart elsewhere: what New-Object makes here, versions of
# programs, exit codes of more than eight bits.
Set-StrictMode -Version 3

Update-TypeData -Force -TypeName System.IO.FileInfo -MemberType ScriptProperty -MemberName VersionInfo -Value {
    Get-LabVersionInfo $this.FullName
}
Update-TypeData -Force -TypeName System.Diagnostics.Process -MemberType ScriptProperty -MemberName ExitCode -Value {
    Get-LabExitCode $this.Id $this.psbase.ExitCode
}

function Get-LabVersionInfo([string]$Path) {
    $version = (Request-LabWorld 'file-version' @{ path = $Path }).version
    $parts = @(@("$version" -split '\.') + @(0, 0, 0, 0))
    [pscustomobject]@{
        FileName = $Path; FileVersion = $version; ProductVersion = $version
        FileMajorPart = [int]"0$($parts[0])"; FileMinorPart = [int]$parts[1]; FileBuildPart = [int]$parts[2]; FilePrivatePart = [int]$parts[3]
    }
}

function Get-LabExitCode([int]$ProcessId, [int]$Shown) {
    $file = Join-Path (Join-Path $OctotuiLab.Root '.exit-codes') "$ProcessId"
    if ([System.IO.File]::Exists($file)) { return [int][System.IO.File]::ReadAllText($file) }
    return $Shown
}
