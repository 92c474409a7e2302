# The one PowerShell process of a simulated node. Takes calls as lines of JSON from the socket $Channel
# and runs each in a runspace of its own; answers with lines of JSON:
#   in   {"call": N, "file": PATH, "arguments": [...], "user": NAME, "lines": [...]}   as powershell.exe -File
#        {"call": N, "text": SCRIPT, "user": NAME, "lines": [...]}                     as -EncodedCommand
#        {"call": N, "stop": true}
#   out  {"ready": PID}   {"call": N, "stdout": TEXT}   {"call": N, "stderr": TEXT}   {"call": N, "exit": CODE}
# What a started scheduled task runs comes through $board.Tasks, put there by the shim. The channel is
# a socket because programs that scripts start inherit standard input and output.
param([string]$Channel, [string]$Shim)
$ErrorActionPreference = 'Stop'

$utf8 = [System.Text.UTF8Encoding]::new($false)
$socket = [System.Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified')
$socket.Connect([System.Net.Sockets.UnixDomainSocketEndPoint]::new($Channel))
$stream = [System.Net.Sockets.NetworkStream]::new($socket, $true)
$commands = [System.IO.StreamReader]::new($stream, $utf8)
$answers = [System.IO.StreamWriter]::new($stream, $utf8)
$answers.AutoFlush = $true

# The scripts are meant for the PowerShell that Windows brings, and tell which one they found.
$PSVersionTable['PSVersion'] = [version]'5.1.20348.2849'

$board = @{
    Node    = $env:OCTOTUI_LAB_NODE
    Control = $env:OCTOTUI_LAB_CONTROL
    Root    = $env:OCTOTUI_LAB_ROOT
    Http    = [System.Net.Http.HttpClient]::new()
    # The scheduled tasks that scripts registered, by path and name.
    Registered = [System.Collections.Concurrent.ConcurrentDictionary[string, object]]::new()
    Tasks   = [System.Collections.Concurrent.ConcurrentQueue[object]]::new()
    Wake    = [System.Threading.AutoResetEvent]::new($false)
}
$state = [initialsessionstate]::CreateDefault2()
$state.ImportPSModule([string[]]@(Get-ChildItem -Path $Shim -Filter '*.psm1' | Sort-Object -Property Name | ForEach-Object { $_.FullName }))
$state.Variables.Add([System.Management.Automation.Runspaces.SessionStateVariableEntry]::new('OctotuiLab', $board, '', 'Constant, AllScope'))
$settings = [System.Management.Automation.PSInvocationSettings]::new()
$settings.ExposeFlowControlExceptions = $true
$runFile = Get-Content -Raw -Path (Join-Path $PSScriptRoot 'run_file.ps1')
$runTask = Get-Content -Raw -Path (Join-Path $PSScriptRoot 'run_task.ps1')
$running = [System.Collections.Generic.List[object]]::new()

function Send-Answer($answer) {
    $answers.WriteLine((ConvertTo-Json -InputObject $answer -Compress))
}

function Start-Call($id, $user, $lines, [scriptblock]$addCommands) {
    $space = [runspacefactory]::CreateRunspace($state)
    $space.Open()
    $space.SessionStateProxy.SetVariable('OctotuiLabUser', $user)
    $shell = [powershell]::Create()
    $shell.Runspace = $space
    $null = & $addCommands $shell
    $in = [System.Management.Automation.PSDataCollection[psobject]]::new()
    foreach ($line in $lines) { $in.Add($line) }
    $in.Complete()
    $out = [System.Management.Automation.PSDataCollection[psobject]]::new()
    $running.Add(@{
            Id = $id; Space = $space; Shell = $shell; Out = $out
            Handle = $shell.BeginInvoke($in, $out, $settings, $null, $null)
        })
}

function Read-Text($objects) {
    $text = [System.Text.StringBuilder]::new()
    foreach ($object in $objects) {
        if ($object -is [string]) { $null = $text.Append($object).Append("`r`n") }
        elseif ($null -ne $object) { $null = $text.Append((Out-String -InputObject $object)) }
    }
    return $text.ToString()
}

function Send-Output($call) {
    $stdout = (Read-Text $call.Out.ReadAll()) + (Read-Text @(
            $call.Shell.Streams.Information.ReadAll() | Where-Object { $_.Tags -contains 'PSHOST' } | ForEach-Object { [string]$_.MessageData }))
    if ($stdout) { Send-Answer @{ call = $call.Id; stdout = $stdout } }
    $stderr = Read-Text $call.Shell.Streams.Error.ReadAll()
    if ($stderr) { Send-Answer @{ call = $call.Id; stderr = $stderr } }
}

function Get-ExitCode($call) {
    $reason = $call.Shell.InvocationStateInfo.Reason
    if ($call.Shell.InvocationStateInfo.State -eq 'Stopped') { return 1 }
    if ($null -eq $reason) { return [int]$call.Space.SessionStateProxy.GetVariable('OctotuiLabExitCode') }
    if ($reason -is [System.Management.Automation.ExitException]) { return [int]$reason.Argument }
    $record = if ($reason -is [System.Management.Automation.IContainsErrorRecord]) { $reason.ErrorRecord } else { $reason }
    Send-Answer @{ call = $call.Id; stderr = (Out-String -InputObject $record) }
    return 1
}

function Invoke-Command-Line($command) {
    if ($command.PSObject.Properties['stop']) {
        foreach ($call in $running) { if ($call.Id -eq $command.call) { $null = $call.Shell.BeginStop($null, $null) } }
    }
    elseif ($command.PSObject.Properties['file'] -and -not (Test-Path -LiteralPath $command.file -PathType Leaf)) {
        Send-Answer @{ call = $command.call; stderr = "The argument '$($command.file)' to the -File parameter does not exist.`r`n" }
        Send-Answer @{ call = $command.call; exit = -196608 }
    }
    elseif ($command.PSObject.Properties['file']) {
        Start-Call $command.call $command.user $command.lines {
            param($shell) $shell.AddScript($runFile).AddArgument($command.file).AddArgument(@($command.arguments)) }
    }
    else {
        # As -Command: the exit code says whether the last statement succeeded, unless the script exits.
        $text = $command.text + "`n`$global:OctotuiLabExitCode = [int](-not `$?)"
        Start-Call $command.call $command.user $command.lines { param($shell) $shell.AddScript($text) }
    }
}

Send-Answer @{ ready = $PID }
$next = $commands.ReadLineAsync()
while ($true) {
    $handles = @(([System.IAsyncResult]$next).AsyncWaitHandle, $board.Wake) + @($running | Select-Object -First 60 | ForEach-Object { $_.Handle.AsyncWaitHandle })
    $null = [System.Threading.WaitHandle]::WaitAny([System.Threading.WaitHandle[]]$handles, $(if ($running.Count) { 50 } else { -1 }))
    if ($next.IsCompleted) {
        if ($null -eq $next.Result) { break }
        Invoke-Command-Line (ConvertFrom-Json $next.Result)
        $next = $commands.ReadLineAsync()
    }
    $task = $null
    while ($board.Tasks.TryDequeue([ref]$task)) {
        Start-Call 0 '' @() { param($shell) $shell.AddScript($runTask).AddArgument($task) }
    }
    foreach ($call in $running.ToArray()) {
        $ended = $call.Handle.IsCompleted
        if ($call.Id) { Send-Output $call }
        if ($ended) {
            if ($call.Id) { Send-Answer @{ call = $call.Id; exit = (Get-ExitCode $call) } }
            $null = $running.Remove($call)
            $call.Shell.Dispose()
            $call.Space.Dispose()
        }
    }
}
foreach ($call in $running) { $null = $call.Shell.BeginStop($null, $null) }
