# Runs a script as powershell.exe -File does: `exit N` gives N; without it the code is 0, whatever
# programs the script ran. A terminating error leaves this script too and becomes 1.
param([string]$Path, [object[]]$Arguments)
$input | & $Path @Arguments
$global:OctotuiLabExitCode = if ($?) { 0 } else { $LASTEXITCODE }
