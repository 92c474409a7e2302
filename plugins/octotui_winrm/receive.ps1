# octotui-winrm receive
# Writes a small file whole. Standard input: base64 of the path (UTF-8), then lines of base64 data.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3
$lines = @($input)
try {
    $path = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($lines[0]))
    $data = [Convert]::FromBase64String((@($lines | Select-Object -Skip 1) -join ''))
    $part = $path + '.part'
    [IO.File]::WriteAllBytes($part, $data)
    if ([IO.File]::Exists($path)) {
        # Keeps the access rights of the file that is there.
        [IO.File]::Replace($part, $path, [System.Management.Automation.Language.NullString]::Value)
    } else {
        [IO.File]::Move($part, $path)
    }
} catch {
    $_.Exception.GetBaseException().Message
    exit 1
}
exit 0
