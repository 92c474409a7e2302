# The small programs of System32, run within the script that starts them: quick, as the script's own
# account, and with exit codes that Linux could not pass on. They have no files, so they are looked
# for here when PowerShell finds no command of their name.
Set-StrictMode -Version 3

$ExecutionContext.InvokeCommand.CommandNotFoundAction = {
    param($name, $found)
    switch (($name -split '[\\/]')[-1]) {
        'sc.exe' { $found.CommandScriptBlock = { Invoke-LabServiceControl $args }; $found.StopSearch = $true }
        'whoami.exe' { $found.CommandScriptBlock = { Invoke-LabWhoami }; $found.StopSearch = $true }
        'icacls.exe' { $found.CommandScriptBlock = { Invoke-LabAccessControl $args }; $found.StopSearch = $true }
    }
}

# Ends a program: what it wrote, and the exit code.
function Exit-LabProgram([int]$Code, [string[]]$Lines) {
    $global:LASTEXITCODE = $Code
    $Lines
}

function Invoke-LabServiceControl([string[]]$Arguments) {
    $types = @{ 'auto' = 'automatic'; 'delayed-auto' = 'automatic-delayed'; 'demand' = 'manual'; 'disabled' = 'disabled' }
    $verb, $name, $option, $word = $Arguments
    if (@((Request-LabWorld 'services').services | Where-Object { $_.name -eq $name }).Count -eq 0) {
        return Exit-LabProgram 1060 '[SC] OpenService FAILED 1060:', '', 'The specified service does not exist as an installed service.'
    }
    if ($verb -eq 'config' -and $option -eq 'start=' -and $types.ContainsKey("$word")) {
        $null = Request-LabWorld 'set-start-type' @{ name = $name; start_type = $types[$word] }
        return Exit-LabProgram 0 '[SC] ChangeServiceConfig SUCCESS'
    }
    return Exit-LabProgram 1639 'This use of sc.exe is not part of the lab.'
}

# As with /user /groups /fo csv /nh: the account, the groups that matter, the integrity level.
function Invoke-LabWhoami {
    $system = Request-LabWorld 'system' @{ user = (Get-LabIdentity) }
    $level = if ($system.elevated) { '"Mandatory Label\High Mandatory Level","Label","S-1-16-12288",""' } else { '"Mandatory Label\Medium Mandatory Level","Label","S-1-16-8192",""' }
    return Exit-LabProgram 0 ('"{0}","S-1-5-21-1004336348-1177238915-682003330-1105"' -f $system.identity), '"BUILTIN\Administrators","Alias","S-1-5-32-544","Group owner"', $level
}

# The lab's folders belong to the person who runs it; whoever is asked for takes nothing away.
function Invoke-LabAccessControl([string[]]$Arguments) {
    if (-not (Test-Path -LiteralPath $Arguments[0])) {
        return Exit-LabProgram 2 "$($Arguments[0]): The system cannot find the file specified.", 'Successfully processed 0 files; Failed processing 1 files'
    }
    return Exit-LabProgram 0 "processed file: $($Arguments[0])", 'Successfully processed 1 files; Failed processing 0 files'
}
