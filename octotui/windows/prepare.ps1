# octotui prepare
# Makes octotui's folder on this host and tells what agent lies there. Sent as -EncodedCommand before
# the first call of a connection, so it must stay short; it takes no input and contains no value.
#
# The agent runs with an administrator's rights, so nobody else may be able to put a file there, and
# %ProgramData% lets every user create folders. Hence: made by us or owned by Administrators or SYSTEM,
# rights not inherited, and a folder that may have been open to others is taken only while empty.
Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function Write-Answer($answer) {
    '<<<octotui-answer'
    $json = ConvertTo-Json -InputObject $answer -Compress -Depth 4
    [regex]::Replace($json, '[^\x20-\x7e]', { param($match) '\u{0:x4}' -f [int][char]$match.Value })
    'octotui-answer>>>'
}

function Stop-Preparing([string]$code, [string]$message) {
    $failure = [System.InvalidOperationException]::new($message)
    $failure.Data['code'] = $code
    throw $failure
}

function Protect-Folder([string]$path) {
    # By SID, since the names are translated: Administrators and SYSTEM, for files and folders below.
    $icacls = Join-Path (Join-Path $env:SystemRoot 'System32') 'icacls.exe'
    foreach ($change in @('/setowner', '*S-1-5-32-544'),
        @('/inheritance:r', '/grant:r', '*S-1-5-32-544:(OI)(CI)F', '*S-1-5-18:(OI)(CI)F')) {
        $said = & $icacls $path $change
        if ($LASTEXITCODE -ne 0) { Stop-Preparing 'not-elevated' "$path cannot be protected: $said" }
    }
    # Looked at after it is closed: until a moment ago others could write there.
    if (@(Get-ChildItem -LiteralPath $path -Force).Count -ne 0) {
        Stop-Preparing 'folder-not-ours' "$path was open to others than administrators and is not empty"
    }
}

# Owned by Administrators or SYSTEM, nothing inherited, rights for these two alone.
$admins = '(BA|SY|S-1-5-32-544|S-1-5-18)'
$closed = "^O:${admins}G.*D:P[^(]*(\(A;[^;]*;[^;]*;;;$admins\))+$"

try {
    $directory = Join-Path $env:ProgramData 'octotui'
    $agent = Join-Path $directory 'agent.ps1'
    if (-not (Test-Path -LiteralPath $directory)) {
        $null = New-Item -ItemType Directory -Path $directory
        Protect-Folder $directory
    }
    # A link would show the owner and rights of the folder it leads to.
    if ((Get-Item -LiteralPath $directory -Force).Attributes -band [System.IO.FileAttributes]::ReparsePoint) {
        Stop-Preparing 'folder-not-ours' "$directory is a link to another folder"
    }
    if ((Get-Acl -LiteralPath $directory).Sddl -notmatch "^O:${admins}G") {
        Stop-Preparing 'folder-not-ours' "$directory is owned by somebody who is no administrator"
    }
    if ((Get-Acl -LiteralPath $directory).Sddl -notmatch $closed) { Protect-Folder $directory }
    if ((Get-Acl -LiteralPath $directory).Sddl -notmatch $closed) {
        Stop-Preparing 'folder-not-ours' "others than Administrators and SYSTEM have rights on $directory"
    }
    $hash = ''
    if (Test-Path -LiteralPath $agent) {
        $hash = (Get-FileHash -LiteralPath $agent -Algorithm SHA256).Hash.ToLowerInvariant()
    }
    Write-Answer @{ ok = $true; result = @{ directory = $directory; agent_path = $agent; agent_sha256 = $hash } }
}
catch {
    $code = 'failed'
    if ($_.Exception.Data.Contains('code')) { $code = $_.Exception.Data['code'] }
    elseif ($_.Exception -is [System.UnauthorizedAccessException]) { $code = 'not-elevated' }
    Write-Answer @{ ok = $false; error = @{ code = $code; message = $_.Exception.Message; detail = @{} } }
}
exit 0
