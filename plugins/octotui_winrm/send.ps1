# octotui-winrm send
# Answers a small file as lines of base64. Standard input: base64 of the path (UTF-8).
# Exit code 2: there is no such file.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3
$lines = @($input)
try {
    $path = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($lines[0]))
    if (-not [IO.File]::Exists($path)) { exit 2 }
    # A log that is being written can be read only by whoever allows the writing to go on.
    $file = [IO.File]::Open($path, 'Open', 'Read', 'ReadWrite, Delete')
    try {
        $data = New-Object byte[] $file.Length
        $size = 0
        while ($size -lt $data.Length) {
            $count = $file.Read($data, $size, $data.Length - $size)
            if ($count -eq 0) { break }
            $size += $count
        }
    } finally {
        $file.Dispose()
    }
    # Lines of 76 characters: narrower than any console that would break them.
    [Convert]::ToBase64String($data, 0, $size, 'InsertLineBreaks') -split "`r`n"
} catch {
    $_.Exception.GetBaseException().Message
    exit 1
}
exit 0
