# What octotui does on a node. One static file: the command line names an operation, parameters come
# as one line of base64 on standard input, the answer is one line of JSON between two marker lines.
# The contract is docs/agent.md; nothing here is specific to one run, and no script text is ever made
# from a value.
#
# For Windows PowerShell 5.1. A plain param() block: with any attribute this would be an advanced
# script, which refuses standard input line by line.
param([string]$Operation, [string]$JobId)
$StandardInput = @($input)

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# .NET Framework offers TLS 1.0 where nobody says otherwise.
[System.Net.ServicePointManager]::SecurityProtocol =
[System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12

$ServerProgram = 'Octopus.Server.exe'
$ReadOnlyVerbs = @('show-configuration', 'version', 'list-instances')
$ProductName = 'Octopus Deploy Server'
$OutputLimit = 65536
$LongestWait = 30
$StartPatience = 30
$OutputProblem = ''

# Every statement that is sent to SQL Server. {0} and {1} are filled by ConvertTo-SqlName and
# ConvertTo-SqlText only.
$SqlWho = "SELECT IS_MEMBER('db_owner') AS owner, SUSER_SNAME() AS who, CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version"
$SqlHistory = 'SELECT TOP (50) Version, Installed FROM dbo.OctopusServerInstallationHistory ORDER BY Installed DESC'
# All columns: which of them a version of Octopus has beside Name is nowhere written down.
$SqlNodes = 'SELECT * FROM dbo.OctopusServerNode'
$SqlBackup = 'BACKUP DATABASE {0} TO DISK = {1} WITH COPY_ONLY, CHECKSUM, FORMAT, STATS = 5'
$SqlVerify = 'RESTORE VERIFYONLY FROM DISK = {0} WITH CHECKSUM'

# learn.microsoft.com/windows/win32/msi/error-codes
$MsiSuccess = @(0, 1641, 3010)
$MsiMeaning = @{
    1602 = 'it was cancelled; nothing was changed'
    1603 = 'a fatal error; its log says which'
    1605 = 'that product is not installed'
    1612 = 'the source of the installed package is not available'
    1618 = 'another installation is running'
    1619 = 'the package cannot be opened'
    1620 = 'the package is damaged'
    1625 = 'a policy of this host forbids it'
    1638 = 'another version of this product is installed already'
    1639 = 'its command line is invalid'
}

# ---- answers and errors --------------------------------------------------------------------------

function Stop-Agent([string]$Code, [string]$Message, $Detail = @{}) {
    $failure = [System.InvalidOperationException]::new($Message)
    $failure.Data['code'] = $Code
    $failure.Data['detail'] = $Detail
    throw $failure
}

# 5.1 writes other characters as they are, and the console's code page spoils them on the way.
function ConvertTo-AsciiJson($Value) {
    $json = ConvertTo-Json -InputObject $Value -Compress -Depth 10
    return [regex]::Replace($json, '[^\x20-\x7e]', { param($match) '\u{0:x4}' -f [int][char]$match.Value })
}

function Write-Answer($Answer) {
    $json = ConvertTo-AsciiJson $Answer
    '<<<octotui-answer'
    $json
    'octotui-answer>>>'
}

# The exception that somebody meant, below those that PowerShell puts around it.
function Get-Cause([System.Exception]$Exception) {
    $cause = $Exception
    while ($cause.InnerException -and -not $cause.Data.Contains('code') -and
        ($cause -is [System.Management.Automation.RuntimeException] -or $cause -is [System.AggregateException])) {
        $cause = $cause.InnerException
    }
    return $cause
}

function ConvertTo-ErrorAnswer($Record) {
    $cause = Get-Cause $Record.Exception
    $code = 'failed'
    $detail = @{}
    if ($cause.Data.Contains('code')) {
        $code = $cause.Data['code']
        $detail = $cause.Data['detail']
    }
    else {
        # 0x80070005, access denied, comes in many classes.
        if ($cause -is [System.UnauthorizedAccessException] -or $cause.HResult -eq -2147024891) { $code = 'not-elevated' }
        $detail = @{ at = "line $($Record.InvocationInfo.ScriptLineNumber)" }
    }
    return @{ ok = $false; error = [ordered]@{ code = $code; message = (Hide-Secret $cause.Message); detail = $detail } }
}

# Programs print connection strings and options as they are.
function Hide-Secret([string]$Text) {
    $hidden = $Text -replace '(?i)\b(password|pwd)(\s*[=:]\s*)("[^"]*"|''[^'']*''|[^;\s,]+)', '$1$2***'
    return $hidden -replace '(?i)(--?(?:masterkey|license\w*)[= ])\S+', '$1***'
}

# ---- parameters ----------------------------------------------------------------------------------

function Read-Request {
    $text = ($StandardInput -join '').Trim()
    if ($text -eq '') { Stop-Agent 'bad-request' 'there is no request on standard input' }
    try { $json = [System.Text.UTF8Encoding]::new($false, $true).GetString([Convert]::FromBase64String($text)) }
    catch { Stop-Agent 'bad-request' 'the request is not base64 of UTF-8' }
    # The parser's own message would repeat a piece of the request, which may be a secret.
    try { $request = ConvertFrom-Json -InputObject $json }
    catch { Stop-Agent 'bad-request' 'the request is not JSON' }
    if ($request -isnot [System.Management.Automation.PSCustomObject]) { Stop-Agent 'bad-request' 'the request is not an object' }
    return $request
}

function Get-Parameter($Parameters, [string]$Name) {
    $property = $Parameters.PSObject.Properties[$Name]
    if ($null -eq $property) { Stop-Agent 'bad-request' "parameter $Name is missing" }
    return , $property.Value
}

function Get-TextParameter($Parameters, [string]$Name) {
    $value = Get-Parameter $Parameters $Name
    if ($value -isnot [string]) { Stop-Agent 'bad-request' "parameter $Name is not text" }
    return $value
}

function Test-Number($Value) {
    return $Value -is [int] -or $Value -is [long] -or $Value -is [decimal] -or $Value -is [double]
}

function Get-NumberParameter($Parameters, [string]$Name) {
    $value = Get-Parameter $Parameters $Name
    if (-not (Test-Number $value)) { Stop-Agent 'bad-request' "parameter $Name is not a number" }
    return [double]$value
}

function Get-ObjectParameter($Parameters, [string]$Name) {
    $value = Get-Parameter $Parameters $Name
    if ($value -isnot [System.Management.Automation.PSCustomObject]) { Stop-Agent 'bad-request' "parameter $Name is not an object" }
    return $value
}

# A name that cannot lead out of the folder it is meant for.
function Assert-FileName([string]$Name) {
    if ($Name -notmatch '^[A-Za-z0-9_][A-Za-z0-9._ -]*$') { Stop-Agent 'bad-request' "$Name is no file name" }
}

function Assert-Quotable([string]$Text) {
    # Nothing in a Windows command line can hold a quotation mark in a way that every program reads.
    if ($Text.Contains('"')) { Stop-Agent 'bad-request' 'a value with a quotation mark cannot be passed to a program' }
}

# ---- files ---------------------------------------------------------------------------------------

function Get-OctotuiFolder([string]$Name = '') {
    $folder = Join-Path $env:ProgramData 'octotui'
    if ($Name) { $folder = Join-Path $folder $Name }
    if (-not [System.IO.Directory]::Exists($folder)) { $null = New-Item -ItemType Directory -Path $folder -Force }
    return $folder
}

function Read-JsonFile([string]$Path) {
    return ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Path))
}

# A file appears whole or not at all, and a file that is there already is not replaced: Move refuses.
function Publish-JsonFile([string]$Path, $Value) {
    $part = "$Path.$([System.IO.Path]::GetRandomFileName())"
    $bytes = [System.Text.Encoding]::ASCII.GetBytes((ConvertTo-AsciiJson $Value))
    $stream = [System.IO.FileStream]::new($part, [System.IO.FileMode]::CreateNew)
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        # Onto the disk: what was found before a change must survive a power cut.
        $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    try { [System.IO.File]::Move($part, $Path) }
    catch {
        [System.IO.File]::Delete($part)
        throw
    }
}

function Get-StreamHash($Stream) {
    $sha256 = [System.Security.Cryptography.SHA256]::Create()
    try { $bytes = $sha256.ComputeHash($Stream) }
    finally { $sha256.Dispose() }
    return [BitConverter]::ToString($bytes).Replace('-', '').ToLowerInvariant()
}

# Others may read it, nobody may write or replace it while the stream is open.
function Open-Unchanging([string]$Path) {
    return [System.IO.FileStream]::new($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::Read)
}

function Get-FileVersion([string]$Path) {
    if (-not [System.IO.File]::Exists($Path)) { return '' }
    $version = [string](Get-Item -LiteralPath $Path).VersionInfo.FileVersion
    # Builders may add a fourth number or a note; a version of Octopus has three numbers.
    if ($version -match '^\d+\.\d+\.\d+') { return $Matches[0] }
    return ''
}

function Get-Signer($Signature) {
    if ($null -eq $Signature.SignerCertificate) { return '' }
    return [string]$Signature.SignerCertificate.Subject
}

# ---- programs ------------------------------------------------------------------------------------

# By full path: a job has an administrator's rights, and PATH may name folders that others write to.
function Get-SystemProgram([string]$Name) {
    return Join-Path (Join-Path $env:SystemRoot 'System32') $Name
}

# Runs a program to its end, gives each line of output to $Take as it comes, returns the exit code.
# Start-Process -Wait would also wait for every service that an installer starts. Null where it has not
# ended after $Seconds; it is then left alone.
function Invoke-Program([string]$Program, [string]$Arguments, [scriptblock]$Take, [double]$Seconds = [double]::PositiveInfinity) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $start = [System.Diagnostics.ProcessStartInfo]::new($Program, $Arguments)
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [System.Diagnostics.Process]::Start($start)
    $process.StandardInput.Close()
    $readers = [System.Collections.Generic.List[object]]::new()
    $readers.Add($process.StandardOutput)
    $readers.Add($process.StandardError)
    $pending = [System.Collections.Generic.List[System.Threading.Tasks.Task]]::new()
    foreach ($reader in $readers) { $pending.Add($reader.ReadLineAsync()) }
    while ($pending.Count -gt 0) {
        $left = $Seconds - $watch.Elapsed.TotalSeconds
        if ($left -le 0) { return $null }
        $which = [System.Threading.Tasks.Task]::WaitAny($pending.ToArray(), [int](1000 * [Math]::Min(1.0, $left)))
        if ($which -lt 0) {
            # A grandchild may hold the pipe open for ever after the program itself has ended.
            if ($process.HasExited) { break }
            continue
        }
        $line = $pending[$which].Result
        if ($null -eq $line) {
            $pending.RemoveAt($which)
            $readers.RemoveAt($which)
            continue
        }
        # Whatever becomes of a line, the program is read and waited for to its end: a migrator that
        # is left alone goes on writing while everybody takes it for ended.
        try { & $Take $line ([object]::ReferenceEquals($readers[$which], $process.StandardError)) }
        catch { Set-OutputProblem $_ }
        $pending[$which] = $readers[$which].ReadLineAsync()
    }
    # Its outputs may end before it does.
    while (-not $process.WaitForExit(100)) {
        if ($watch.Elapsed.TotalSeconds -ge $Seconds) { return $null }
    }
    # PowerShell gives null for what .NET refuses to tell, and as a number null would be a success.
    $code = $process.ExitCode
    if ($null -eq $code) { Stop-Agent 'failed' "$Program has ended, but Windows reports no exit code" }
    return [int]$code
}

function Invoke-OctopusServer([string]$Arguments, [scriptblock]$Take, [double]$Seconds = [double]::PositiveInfinity) {
    $program = Join-Path (Get-InstallDirectory) $ServerProgram
    if (-not [System.IO.File]::Exists($program)) { Stop-Agent 'not-installed' "$program does not exist" }
    return Invoke-Program $program $Arguments $Take $Seconds
}

# sc.exe, because no cmdlet of 5.1 knows delayed automatic start.
function Set-StartType([string]$Service, [string]$StartType) {
    $words = @{ 'automatic' = 'auto'; 'automatic-delayed' = 'delayed-auto'; 'manual' = 'demand'; 'disabled' = 'disabled' }
    $said = & (Get-SystemProgram 'sc.exe') config $Service start= $words[$StartType]
    if ($LASTEXITCODE -eq 5) { Stop-Agent 'not-elevated' "the start type of $Service cannot be changed: access denied" }
    if ($LASTEXITCODE -ne 0) { Stop-Agent 'failed' "the start type of $Service cannot be changed: $said" }
}

# ---- what is installed ---------------------------------------------------------------------------

function Get-RegistryValue([string]$Key, [string]$Name) {
    if (-not (Test-Path -LiteralPath $Key)) { return $null }
    $property = (Get-ItemProperty -LiteralPath $Key).PSObject.Properties[$Name]
    if ($null -eq $property) { return $null }
    return $property.Value
}

function Get-InstallDirectory {
    $directory = [string](Get-RegistryValue 'HKLM:\SOFTWARE\Octopus\OctopusServer' 'InstallLocation')
    if (-not $directory) { Stop-Agent 'not-installed' 'Octopus Server is not installed on this host' }
    return $directory.TrimEnd('\', '/')
}

# Win32_Product is never asked: it makes Windows check and repair every product.
function Get-ProductCode {
    foreach ($root in 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall', 'HKLM:\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall') {
        if (-not (Test-Path -LiteralPath $root)) { continue }
        foreach ($key in @(Get-ChildItem -LiteralPath $root)) {
            if ($key.GetValue('DisplayName') -eq $ProductName -and $key.PSChildName.StartsWith('{')) { return [string]$key.PSChildName }
        }
    }
    return ''
}

# The files of the manifest that are not there: an installer's success proves nothing (I#6383).
function Get-MissingFile([string]$Directory) {
    $manifest = Join-Path $Directory 'Octopus.Server.manifest'
    if (-not [System.IO.File]::Exists($manifest)) { return @('Octopus.Server.manifest') }
    $missing = @()
    foreach ($line in [System.IO.File]::ReadAllLines($manifest)) {
        $name = ($line -split '[\t|]')[0].Trim()
        if ($name -and -not [System.IO.File]::Exists((Join-Path $Directory $name))) { $missing += $name }
    }
    return $missing
}

# ---- services, processes, watchdog ---------------------------------------------------------------

function ConvertTo-Epoch([datetime]$Time) {
    return [DateTimeOffset]::new($Time).ToUnixTimeMilliseconds() / 1000.0
}

function Get-Now {
    return [DateTimeOffset]::UtcNow.ToUnixTimeMilliseconds() / 1000.0
}

function ConvertTo-StartType($Service) {
    switch ($Service.StartMode) {
        'Manual' { return 'manual' }
        'Disabled' { return 'disabled' }
    }
    # The property is missing before Windows Server 2016.
    $delayed = $Service.PSObject.Properties['DelayedAutoStart']
    if ($null -ne $delayed) { $delayed = $delayed.Value }
    else { $delayed = Get-RegistryValue "HKLM:\SYSTEM\CurrentControlSet\Services\$($Service.Name)" 'DelayedAutostart' }
    if ($delayed) { return 'automatic-delayed' }
    return 'automatic'
}

function Get-InstanceOfService($Service) {
    if ($Service.PathName -match '--?instance(?:=|\s+)"?([^"]+?)"?\s*(?:$|\s-)') { return $Matches[1] }
    if ($Service.Name -match '^OctopusDeploy: (.+)$') { return $Matches[1] }
    return 'OctopusServer'
}

function Get-OctopusService {
    # Anything unknown counts as running: only "stopped" may be believed to be stopped.
    $states = @{ 'Stopped' = 'stopped'; 'Start Pending' = 'starting'; 'Continue Pending' = 'starting'; 'Stop Pending' = 'stopping' }
    $found = @(Get-CimInstance -ClassName Win32_Service -Filter "PathName LIKE '%$ServerProgram%'" | Sort-Object -Property Name)
    foreach ($service in $found) {
        $state = 'running'
        if ($states.ContainsKey([string]$service.State)) { $state = $states[[string]$service.State] }
        [ordered]@{
            name = [string]$service.Name; instance = Get-InstanceOfService $service; state = $state
            start_type = ConvertTo-StartType $service; process_id = [int]$service.ProcessId; account = [string]$service.StartName
        }
    }
}

function Get-OctopusProcess {
    $found = @(Get-CimInstance -ClassName Win32_Process -Filter "Name = '$ServerProgram'" | Sort-Object -Property ProcessId)
    foreach ($process in $found) {
        $rest = [string]$process.CommandLine -replace '^\s*(?:"[^"]*"|\S+)\s*', ''
        [ordered]@{ process_id = [int]$process.ProcessId; verb = ($rest -split '\s+')[0] }
    }
}

function Get-ServicesAnswer {
    return [ordered]@{ services = @(Get-OctopusService); processes = @(Get-OctopusProcess) }
}

# A process counts unless its verb only reads: that is somebody who looks, most likely octotui itself.
function Test-Stopped($Services) {
    return @($Services.processes | Where-Object { $ReadOnlyVerbs -cnotcontains $_.verb }).Count -eq 0 -and @($Services.services | Where-Object { $_.state -ne 'stopped' }).Count -eq 0
}

function Get-WatchdogTask {
    # Asked by a pattern, since asking for one exact task that is not there is an error.
    $tasks = @(Get-ScheduledTask -TaskName 'Octopus Watchdog *' | Where-Object { $_.TaskPath -eq '\' } | Sort-Object -Property TaskName)
    foreach ($task in $tasks) { [ordered]@{ name = [string]$task.TaskName; enabled = [bool]$task.Settings.Enabled } }
}

# Looks again and again, seldom while it takes long, until $Test answers true; false at the deadline.
function Wait-Until([scriptblock]$Test, [double]$Seconds) {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while (-not (& $Test)) {
        $elapsed = $watch.Elapsed.TotalSeconds
        if ($elapsed -ge $Seconds) { return $false }
        $pause = [Math]::Max(0.05, [Math]::Min(1.0, $elapsed / 10))
        Start-Sleep -Milliseconds ([int][Math]::Ceiling(1000 * [Math]::Min($pause, $Seconds - $elapsed)))
    }
    return $true
}

# ---- instances -----------------------------------------------------------------------------------

function Get-InstanceFile {
    $folder = Join-Path (Join-Path (Join-Path $env:ProgramData 'Octopus') 'OctopusServer') 'Instances'
    if (-not [System.IO.Directory]::Exists($folder)) { return }
    foreach ($file in @(Get-ChildItem -LiteralPath $folder -Filter '*.config' | Sort-Object -Property Name)) {
        $entry = Read-JsonFile $file.FullName
        [ordered]@{ name = [string]$entry.Name; config_file = [string]$entry.ConfigurationFilePath }
    }
}

function Get-InstanceEntry([string]$Name) {
    foreach ($entry in @(Get-InstanceFile)) { if ($entry.name -eq $Name) { return $entry } }
    Stop-Agent 'no-such-instance' "there is no instance $Name on this host"
}

function Get-Configuration([string]$Instance) {
    Assert-Quotable $Instance
    $text = [System.Text.StringBuilder]::new()
    $code = Invoke-OctopusServer "show-configuration --instance=`"$Instance`" --format=json --noconsolelogging --console" {
        param($line, $isError)
        if (-not $isError) { $null = $text.AppendLine($line) }
    }
    # Log lines may come first, whatever one asks for (OctopusDSC issue 179).
    $json = $text.ToString()
    $begin = $json.IndexOf('{')
    $end = $json.LastIndexOf('}')
    if ($code -ne 0 -or $begin -lt 0 -or $end -lt $begin) {
        Stop-Agent 'failed' "the configuration of instance $Instance cannot be read: show-configuration ended with $code"
    }
    # Never the parser's own message: it repeats what it read, and that holds a connection string.
    try { return ConvertFrom-Json -InputObject $json.Substring($begin, $end - $begin + 1) }
    catch { Stop-Agent 'failed' "the configuration of instance $Instance cannot be read: it is not JSON" }
}

function Get-Setting($Configuration, [string]$Name) {
    $property = $Configuration.PSObject.Properties[$Name]
    if ($null -eq $property -or $null -eq $property.Value) { return '' }
    return [string]$property.Value
}

# The keywords that both the server's driver and .NET Framework's know, under the latter's names: the
# newer driver writes some that the older one refuses.
function Read-ConnectionString($Configuration) {
    $known = @{
        'datasource' = 'Data Source'; 'server' = 'Data Source'; 'address' = 'Data Source'; 'addr' = 'Data Source'
        'networkaddress' = 'Data Source'; 'initialcatalog' = 'Initial Catalog'; 'database' = 'Initial Catalog'
        'integratedsecurity' = 'Integrated Security'; 'trusted_connection' = 'Integrated Security'
        'userid' = 'User ID'; 'uid' = 'User ID'; 'user' = 'User ID'; 'password' = 'Password'; 'pwd' = 'Password'
        'encrypt' = 'Encrypt'; 'trustservercertificate' = 'TrustServerCertificate'
        'multisubnetfailover' = 'MultiSubnetFailover'; 'failoverpartner' = 'Failover Partner'
        'connecttimeout' = 'Connect Timeout'; 'connectiontimeout' = 'Connect Timeout'; 'timeout' = 'Connect Timeout'
        'authentication' = 'Authentication'
    }
    $builder = [System.Data.Common.DbConnectionStringBuilder]::new()
    # By its methods: PowerShell takes the object for a dictionary and a property for an entry.
    try { $builder.set_ConnectionString((Get-Setting $Configuration 'Octopus.Storage.ExternalDatabaseConnectionString')) }
    catch { Stop-Agent 'failed' 'the connection string of the instance cannot be understood' }
    $values = @{}
    foreach ($key in @($builder.get_Keys())) {
        $plain = $key.Replace(' ', '').ToLowerInvariant()
        if (-not $known.ContainsKey($plain)) { continue }
        $value = [string]$builder.get_Item($key)
        if ($plain -eq 'encrypt' -and $value -match '^(mandatory|strict|yes)$') { $value = 'True' }
        if ($plain -eq 'encrypt' -and $value -match '^(optional|no)$') { $value = 'False' }
        $values[$known[$plain]] = $value
    }
    foreach ($needed in 'Data Source', 'Initial Catalog') { if (-not $values.ContainsKey($needed)) { $values[$needed] = '' } }
    return $values
}

function Get-Instance($Entry) {
    $configuration = Get-Configuration $Entry.name
    $database = Read-ConnectionString $configuration
    $nodeName = Get-Setting $configuration 'Octopus.Server.NodeName'
    if (-not $nodeName) { $nodeName = $env:COMPUTERNAME }
    return [ordered]@{
        name = $Entry.name
        node_name = $nodeName
        home = Get-Setting $configuration 'Octopus.Home'
        config_file = $Entry.config_file
        listen_prefixes = @(Get-ListenPrefix $configuration)
        database_server = $database['Data Source']
        database_name = $database['Initial Catalog']
    }
}

function Get-ListenPrefix($Configuration) {
    return @((Get-Setting $Configuration 'Octopus.WebPortal.ListenPrefixes') -split '[,;]' | ForEach-Object { $_.Trim() } | Where-Object { $_ })
}

# ---- facts ---------------------------------------------------------------------------------------

# Who the calls run as, and whether with an administrator's full rights: the account's own line comes
# first; of the groups, the integrity levels High and System say so, in every language.
function Get-Identity {
    $lines = @(& (Get-SystemProgram 'whoami.exe') /user /groups /fo csv /nh)
    if ($LASTEXITCODE -ne 0 -or $lines.Count -eq 0) { Stop-Agent 'failed' 'whoami.exe does not tell who we are' }
    $name = ($lines[0] -split '","')[0].Trim('"')
    return @{ name = $name; elevated = [bool]@($lines | Where-Object { $_ -match '"S-1-16-(12288|16384)"' }).Count }
}

function Get-PendingReboot {
    $reasons = @()
    if (Test-Path -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending') { $reasons += 'Component Based Servicing' }
    if (Test-Path -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired') { $reasons += 'Windows Update' }
    if (Get-RegistryValue 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager' 'PendingFileRenameOperations') { $reasons += 'PendingFileRenameOperations' }
    return $reasons
}

# Windows Installer holds this mutex while an installation changes the host.
function Test-InstallerBusy {
    $mutex = Enter-Mutex 'Global\_MSIExecute'
    if ($null -eq $mutex) { return $true }
    Exit-Mutex $mutex
    return $false
}

# The drives that an upgrade writes to. A volume may be mounted in a folder, so by the longest root.
function Get-Disk([string]$InstallDirectory, [string[]]$Homes) {
    $volumes = @(Get-CimInstance -ClassName Win32_Volume | Where-Object { $_.Name -and $null -ne $_.FreeSpace } | Sort-Object -Property { $_.Name.Length } -Descending)
    $places = @(, @('install', $InstallDirectory)) + @($Homes | ForEach-Object { , @('home', $_) }) + @(, @('staging', (Get-OctotuiFolder)))
    $disks = [ordered]@{}
    foreach ($place in $places) {
        foreach ($volume in $volumes) {
            if (-not (Test-Below $place[1] $volume.Name)) { continue }
            if (-not $disks.Contains($volume.Name)) {
                $name = [string]$volume.DriveLetter
                if (-not $name) { $name = [string]$volume.Name }
                $disks[$volume.Name] = [ordered]@{ name = $name; free = [long]$volume.FreeSpace; size = [long]$volume.Capacity; purposes = @() }
            }
            if ($disks[$volume.Name].purposes -notcontains $place[0]) { $disks[$volume.Name].purposes += $place[0] }
            break
        }
    }
    return @($disks.Values)
}

function Test-Below([string]$Path, [string]$Folder) {
    $separator = [string][System.IO.Path]::DirectorySeparatorChar
    $root = [System.IO.Path]::GetFullPath($Folder).TrimEnd('\', '/') + $separator
    return [System.IO.Path]::GetFullPath($Path).StartsWith($root, [StringComparison]::OrdinalIgnoreCase)
}

function Get-Facts {
    $directory = Get-InstallDirectory
    $program = Join-Path $directory $ServerProgram
    if (-not [System.IO.File]::Exists($program)) { Stop-Agent 'not-installed' "Octopus Server is not installed on this host: $program does not exist" }
    $identity = Get-Identity
    $system = Get-CimInstance -ClassName Win32_OperatingSystem
    $instances = @(Get-InstanceFile | ForEach-Object { Get-Instance $_ })
    return [ordered]@{
        computer = [string]$env:COMPUTERNAME
        os = [string]$system.Caption
        powershell = [string]$PSVersionTable.PSVersion
        identity = $identity.name
        elevated = $identity.elevated
        time = Get-Now
        boot_time = ConvertTo-Epoch $system.LastBootUpTime
        install_directory = $directory
        version = Get-FileVersion $program
        signer = Get-Signer (Get-AuthenticodeSignature -LiteralPath $program)
        product_code = Get-ProductCode
        instances = $instances
        services = Get-ServicesAnswer
        watchdog = @(Get-WatchdogTask)
        disks = @(Get-Disk $directory @($instances | ForEach-Object { $_.home } | Where-Object { $_ }))
        pending_reboot = @(Get-PendingReboot)
        installer_busy = Test-InstallerBusy
        octotui_directory = Get-OctotuiFolder
    }
}

# ---- prove-file ----------------------------------------------------------------------------------

function Get-FileProof($Parameters) {
    $path = Get-TextParameter $Parameters 'path'
    $expected = (Get-TextParameter $Parameters 'sha256').ToLowerInvariant()
    $wanted = Get-TextParameter $Parameters 'signer'
    $proof = [ordered]@{ path = $path; exists = $false; size = 0; sha256 = ''; signature = ''; signer = ''; proved = $false; reasons = @('the file does not exist') }
    if (-not [System.IO.File]::Exists($path)) { return $proof }
    if ($wanted -eq 'same-as-installed') {
        $wanted = Get-Signer (Get-AuthenticodeSignature -LiteralPath (Join-Path (Get-InstallDirectory) $ServerProgram))
    }
    # Hash and signature of the same bytes: nobody can write to the file in between.
    $stream = Open-Unchanging $path
    try {
        $proof.exists = $true
        $proof.size = $stream.Length
        $proof.sha256 = Get-StreamHash $stream
        $signature = Get-AuthenticodeSignature -LiteralPath $path
    }
    finally { $stream.Dispose() }
    $proof.signature = [string]$signature.Status
    $proof.signer = Get-Signer $signature
    $reasons = @()
    if ($proof.sha256 -ne $expected) { $reasons += 'its hash is not the one expected' }
    if ($proof.signature -ne 'Valid') { $reasons += "its signature is $($proof.signature)" }
    if (-not $wanted) { $reasons += 'the installed Octopus.Server.exe is not signed' }
    elseif ($proof.signer -cne $wanted) { $reasons += "its signer is $($proof.signer), not $wanted" }
    $proof.reasons = $reasons
    $proof.proved = $reasons.Count -eq 0
    return $proof
}

# ---- park and unpark -----------------------------------------------------------------------------

function Get-ParkedFile {
    return Join-Path (Get-OctotuiFolder) 'parked.json'
}

function Get-Parked {
    $file = Get-ParkedFile
    if (-not [System.IO.File]::Exists($file)) { return $null }
    $found = Read-JsonFile $file
    return [ordered]@{
        services = @(@($found.services) | ForEach-Object { [ordered]@{ name = $_.name; instance = $_.instance; state = $_.state; start_type = $_.start_type } })
        watchdog = @(@($found.watchdog) | ForEach-Object { [ordered]@{ name = $_.name; enabled = $_.enabled } })
    }
}

# What was found is on the disk before anything is changed. A call that was killed in between is made
# good by the next: it keeps what the first one found, and disables all that is not yet disabled.
function Set-Parked {
    $found = Get-Parked
    if ($null -eq $found) {
        $found = [ordered]@{
            services = @(Get-OctopusService | ForEach-Object { [ordered]@{ name = $_.name; instance = $_.instance; state = $_.state; start_type = $_.start_type } })
            watchdog = @(Get-WatchdogTask)
        }
        Publish-JsonFile (Get-ParkedFile) $found
    }
    foreach ($task in @(Get-WatchdogTask)) {
        if ($task.enabled) { $null = Disable-ScheduledTask -TaskPath '\' -TaskName $task.name }
    }
    foreach ($service in @(Get-OctopusService)) {
        if ($service.start_type -ne 'disabled') { Set-StartType $service.name 'disabled' }
    }
    $left = @(@(Get-OctopusService | Where-Object { $_.start_type -ne 'disabled' }) + @(Get-WatchdogTask | Where-Object { $_.enabled }) | ForEach-Object { $_.name })
    if ($left.Count) { Stop-Agent 'failed' "not everything that starts Octopus could be disabled: $($left -join ', ')" }
    return $found
}

# Puts back what is still there of what was found, and says what that was.
function Reset-Parked {
    $found = Get-Parked
    if ($null -eq $found) { return [ordered]@{ services = @(); watchdog = @() } }
    $services = @(Get-OctopusService)
    $back = [ordered]@{ services = @(); watchdog = @() }
    foreach ($service in $found.services) {
        $now = @($services | Where-Object { $_.name -eq $service.name })
        if ($now.Count -eq 0) { continue }
        if ($now[0].start_type -ne $service.start_type) { Set-StartType $service.name $service.start_type }
        $back.services += $service
    }
    $tasks = @(Get-WatchdogTask)
    foreach ($task in $found.watchdog) {
        $now = @($tasks | Where-Object { $_.name -eq $task.name })
        if ($now.Count -eq 0) { continue }
        if ($task.enabled -and -not $now[0].enabled) { $null = Enable-ScheduledTask -TaskPath '\' -TaskName $task.name }
        $back.watchdog += $task
    }
    # Forgotten only when all is back: until then the next call can still put back the rest.
    $types = @{}
    foreach ($service in @(Get-OctopusService)) { $types[$service.name] = $service.start_type }
    $enabled = @(Get-WatchdogTask | Where-Object { $_.enabled } | ForEach-Object { $_.name })
    $left = @(@($back.services | Where-Object { $types[$_.name] -ne $_.start_type }) + @($back.watchdog | Where-Object { $_.enabled -and $enabled -notcontains $_.name }) | ForEach-Object { $_.name })
    if ($left.Count) { Stop-Agent 'failed' "not everything that starts Octopus could be restored: $($left -join ', ')" }
    [System.IO.File]::Delete((Get-ParkedFile))
    return $back
}

# ---- request, log, unstage -----------------------------------------------------------------------

# A certificate for the public name cannot fit "localhost", and the listener is this very host. Made of
# an expression, since .NET calls it on threads on which PowerShell cannot run a script block.
function Get-AcceptAnyCertificate {
    $type = [System.Net.Security.RemoteCertificateValidationCallback]
    $parameters = foreach ($parameter in $type.GetMethod('Invoke').GetParameters()) { [System.Linq.Expressions.Expression]::Parameter($parameter.ParameterType) }
    $body = [System.Linq.Expressions.Expression]::Constant($true)
    return [System.Linq.Expressions.Expression]::Lambda($type, $body, [System.Linq.Expressions.ParameterExpression[]]$parameters).Compile()
}

function Read-Response($Response) {
    $reader = [System.IO.StreamReader]::new($Response.GetResponseStream(), [System.Text.Encoding]::UTF8)
    try {
        $buffer = [char[]]::new($OutputLimit)
        $count = $reader.ReadBlock($buffer, 0, $buffer.Length)
        return [ordered]@{ status = [int]$Response.StatusCode; body = [string]::new($buffer, 0, $count) }
    }
    finally {
        $reader.Dispose()
        $Response.Close()
    }
}

function Get-LocalAnswer($Parameters) {
    $entry = Get-InstanceEntry (Get-TextParameter $Parameters 'instance')
    $path = Get-TextParameter $Parameters 'path'
    $key = Get-TextParameter $Parameters 'api_key'
    $prefixes = @(Get-ListenPrefix (Get-Configuration $entry.name))
    if ($prefixes.Count -eq 0) { return [ordered]@{ status = 0; body = '' } }
    $base = $prefixes[0] -replace '^(\w+://)[*+](?=[:/]|$)', '${1}localhost'
    $request = [System.Net.WebRequest]::Create($base.TrimEnd('/') + '/' + $path.TrimStart('/'))
    $request.Proxy = $null
    $request.AllowAutoRedirect = $false
    $request.Timeout = 15000
    $request.ServerCertificateValidationCallback = Get-AcceptAnyCertificate
    if ($key) { $request.Headers.Add('X-Octopus-ApiKey', $key) }
    try { return Read-Response $request.GetResponse() }
    catch {
        $cause = Get-Cause $_.Exception
        if ($cause -is [System.Net.WebException] -and $null -ne $cause.Response) { return Read-Response $cause.Response }
        return [ordered]@{ status = 0; body = '' }
    }
}

function Get-LogText($Parameters) {
    $path = Get-TextParameter $Parameters 'path'
    $limit = [int](Get-NumberParameter $Parameters 'limit')
    if (-not (Test-Below $path (Get-OctotuiFolder))) {
        $homes = @(Get-InstanceFile | ForEach-Object { Get-Setting (Get-Configuration $_.name) 'Octopus.Home' } | Where-Object { $_ })
        if (@($homes | Where-Object { Test-Below $path $_ }).Count -eq 0) {
            Stop-Agent 'bad-request' "$path is neither below the octotui folder nor an instance's home"
        }
    }
    if (-not [System.IO.File]::Exists($path)) { return @{ text = '' } }
    return @{ text = (Read-Tail $path $limit) }
}

# The end of a text file that somebody may be writing to. Windows Installer's logs are UTF-16.
function Read-Tail([string]$Path, [int]$Limit) {
    $stream = [System.IO.FileStream]::new($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]'ReadWrite, Delete')
    try {
        $mark = [byte[]]::new(3)
        $count = $stream.Read($mark, 0, 3)
        $encoding = [System.Text.Encoding]::UTF8
        $begin = 0
        if ($count -ge 2 -and $mark[0] -eq 0xff -and $mark[1] -eq 0xfe) { $encoding = [System.Text.Encoding]::Unicode; $begin = 2 }
        elseif ($count -ge 2 -and $mark[0] -eq 0xfe -and $mark[1] -eq 0xff) { $encoding = [System.Text.Encoding]::BigEndianUnicode; $begin = 2 }
        elseif ($count -eq 3 -and $mark[0] -eq 0xef -and $mark[1] -eq 0xbb -and $mark[2] -eq 0xbf) { $begin = 3 }
        $size = [Math]::Min([long]$Limit, $stream.Length - $begin)
        if ($begin -eq 2) { $size -= $size % 2 }
        if ($size -le 0) { return '' }
        $null = $stream.Seek(-$size, [System.IO.SeekOrigin]::End)
        # A file of UTF-16 that is being written may end in half a character.
        if ($begin -eq 2 -and $stream.Position % 2) { $null = $stream.Seek(-1, [System.IO.SeekOrigin]::Current) }
        $bytes = [byte[]]::new($size)
        $count = $stream.Read($bytes, 0, $bytes.Length)
        return $encoding.GetString($bytes, 0, $count)
    }
    finally { $stream.Dispose() }
}

function Remove-Staged($Parameters) {
    $names = Get-Parameter $Parameters 'file_names'
    if ($names -isnot [array]) { Stop-Agent 'bad-request' 'parameter file_names is not a list of texts' }
    $removed = @()
    foreach ($name in $names) {
        if ($name -isnot [string]) { Stop-Agent 'bad-request' 'parameter file_names is not a list of texts' }
        Assert-FileName $name
        $file = Join-Path (Get-OctotuiFolder 'packages') $name
        if ([System.IO.File]::Exists($file)) {
            [System.IO.File]::Delete($file)
            $removed += $name
        }
    }
    return @{ removed = $removed }
}

# ---- jobs: starting and telling ------------------------------------------------------------------

function Get-JobIdParameter($Parameters) {
    $id = Get-TextParameter $Parameters 'id'
    if ($id -cnotmatch '^[a-z0-9][a-z0-9.-]{0,120}$') { Stop-Agent 'bad-request' "$id is no id of a job" }
    return $id
}

function Get-JobFolder([string]$Id) {
    return Join-Path (Get-OctotuiFolder 'jobs') $Id
}

function Start-AgentJob($Parameters) {
    $id = Get-JobIdParameter $Parameters
    $kind = Get-TextParameter $Parameters 'kind'
    $jobParameters = Get-ObjectParameter $Parameters 'parameters'
    $runAs = Get-ObjectParameter $Parameters 'run_as'
    if ($JobKinds -cnotcontains $kind) { Stop-Agent 'bad-request' "unknown kind of job $kind" }
    $identity = Get-TaskIdentity $runAs
    $folder = Get-JobFolder $id
    if (-not (New-JobFolder $folder ([ordered]@{ kind = $kind; parameters = $jobParameters }))) {
        $found = (Read-JsonFile (Join-Path $folder 'job.json')).kind
        if ($found -cne $kind) { Stop-Agent 'job-conflict' "job $id was started as $found, not as $kind" }
        return Get-JobState $id 0
    }
    try {
        $action = New-ScheduledTaskAction -Execute (Join-Path $PSHOME 'powershell.exe') -Argument (
            '-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{0}" job-run {1}' -f $PSCommandPath, $id)
        # By default a task ends after three days, not on batteries, and runs at low priority.
        $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ExecutionTimeLimit ([TimeSpan]::Zero) -Priority 4
        $null = Register-ScheduledTask -TaskPath '\octotui\' -TaskName $id -Action $action -Settings $settings @identity
        Start-ScheduledTask -TaskPath '\octotui\' -TaskName $id
    }
    catch {
        $why = Hide-Secret (Get-Cause $_.Exception).Message
        Stop-UnbegunJob $id "the scheduled task of the job could not be started: $why"
        return Get-JobState $id 0
    }
    $begun = Join-Path $folder 'process.json'
    if (-not (Wait-Until { [System.IO.File]::Exists($begun) } $StartPatience)) {
        $last = (Get-ScheduledTaskInfo -TaskPath '\octotui\' -TaskName $id).LastTaskResult
        Stop-UnbegunJob $id ('the scheduled task of the job did not begin within {0} s (last result 0x{1:x8}); the account of [jobs] run_as must be an administrator here with the right to log on as a batch job' -f $StartPatience, $last)
    }
    return Get-JobState $id 0
}

# How Register-ScheduledTask is told the identity.
function Get-TaskIdentity($RunAs) {
    switch (Get-TextParameter $RunAs 'kind') {
        'system' { return @{ Principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest } }
        # A group-managed account's password is Windows' own business; "Password" asks for it there.
        'gmsa' { return @{ Principal = New-ScheduledTaskPrincipal -UserId (Get-TextParameter $RunAs 'username') -LogonType Password -RunLevel Highest } }
        'account' {
            return @{ User = Get-TextParameter $RunAs 'username'; Password = Get-TextParameter $RunAs 'password'; RunLevel = 'Highest' }
        }
        default { Stop-Agent 'bad-request' "unknown kind of run_as $_" }
    }
}

# Made complete under another name and renamed: the rename fails where the folder is there already,
# and no half-made job is ever seen. False where it is there.
function New-JobFolder([string]$Folder, $Job) {
    if ([System.IO.Directory]::Exists($Folder)) { return $false }
    $part = Join-Path (Get-OctotuiFolder 'jobs') ('_' + [Guid]::NewGuid().ToString('N'))
    $null = New-Item -ItemType Directory -Path $part
    Publish-JsonFile (Join-Path $part 'job.json') $Job
    try { [System.IO.Directory]::Move($part, $Folder) }
    catch {
        Remove-Item -LiteralPath $part -Recurse -Force
        if ([System.IO.Directory]::Exists($Folder)) { return $false }
        throw
    }
    return $true
}

# Takes the place of the job's process, so that it cannot begin any more, and says that it did not.
# A job that has begun in the meantime is left alone: only one of both can make the file.
function Stop-UnbegunJob([string]$Id, [string]$Problem) {
    $folder = Get-JobFolder $Id
    try { Publish-JsonFile (Join-Path $folder 'process.json') ([ordered]@{ process_id = 0; started = 0 }) }
    catch {
        if ([System.IO.File]::Exists((Join-Path $folder 'process.json'))) { return }
        throw
    }
    Remove-JobTask $Id
    Publish-JsonFile (Join-Path $folder 'end.json') ([ordered]@{ exit_code = 1; result = @{ problem = $Problem } })
}

function Remove-JobTask([string]$Id) {
    # It may never have been made, or be gone already.
    Unregister-ScheduledTask -TaskPath '\octotui\' -TaskName $Id -Confirm:$false -ErrorAction SilentlyContinue
}

function Get-ProcessStart([int]$ProcessId) {
    $found = @(Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $ProcessId")
    if ($found.Count -eq 0) { return 0.0 }
    return ConvertTo-Epoch $found[0].CreationDate
}

# running, ended or lost. Process ids are used again, so a process is known by its start as well.
function Get-JobPhase([string]$Id) {
    $folder = Get-JobFolder $Id
    $end = Join-Path $folder 'end.json'
    $begun = Join-Path $folder 'process.json'
    if ([System.IO.File]::Exists($end)) { return 'ended' }
    if (-not [System.IO.File]::Exists($begun)) {
        $age = ([DateTime]::UtcNow - [System.IO.File]::GetLastWriteTimeUtc((Join-Path $folder 'job.json'))).TotalSeconds
        if ($age -lt 2 * $StartPatience) { return 'running' }
        # Whoever started it was cut off before its task could begin.
        Stop-UnbegunJob $Id 'the job was never begun: the call that started it was cut off'
        return Get-JobPhase $Id
    }
    $process = Read-JsonFile $begun
    $started = Get-ProcessStart $process.process_id
    if ($started -ne 0 -and [Math]::Abs($started - $process.started) -lt 1) { return 'running' }
    if ([System.IO.File]::Exists($end)) { return 'ended' }
    Remove-JobTask $Id
    return 'lost'
}

function Get-JobState([string]$Id, [long]$Offset) {
    $folder = Get-JobFolder $Id
    $answer = [ordered]@{ id = $Id; state = 'absent'; exit_code = $null; result = @{}; output = ''; next_offset = $Offset }
    if (-not [System.IO.Directory]::Exists($folder)) { return $answer }
    # The state first: the output of a job that has ended is then complete.
    $answer.state = Get-JobPhase $Id
    if ($answer.state -eq 'ended') {
        $end = Read-JsonFile (Join-Path $folder 'end.json')
        $answer.exit_code = $end.exit_code
        $answer.result = $end.result
    }
    $bytes = Read-JobOutput $folder $Offset ($answer.state -ne 'running')
    $answer.output = [System.Text.Encoding]::UTF8.GetString($bytes)
    $answer.next_offset = $Offset + $bytes.Length
    return $answer
}

# At most $OutputLimit bytes from the offset, never ending within a character that is still to come.
function Read-JobOutput([string]$Folder, [long]$Offset, [bool]$Complete) {
    $file = Join-Path $Folder 'output.txt'
    if (-not [System.IO.File]::Exists($file)) { return , [byte[]]@() }
    $stream = [System.IO.FileStream]::new($file, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::ReadWrite)
    try {
        $size = [Math]::Max(0, [Math]::Min($OutputLimit, $stream.Length - $Offset))
        $rest = $stream.Length - $Offset - $size
        $bytes = [byte[]]::new($size)
        $null = $stream.Seek($Offset, [System.IO.SeekOrigin]::Begin)
        $count = $stream.Read($bytes, 0, $bytes.Length)
    }
    finally { $stream.Dispose() }
    if ($rest -gt 0 -or -not $Complete) { $count = Get-WholeCharacters $bytes $count }
    $whole = [byte[]]::new($count)
    [Array]::Copy($bytes, $whole, $count)
    return , $whole
}

# How many of the bytes are whole characters of UTF-8.
function Get-WholeCharacters([byte[]]$Bytes, [int]$Count) {
    for ($back = 1; $back -le [Math]::Min(4, $Count); $back++) {
        $byte = $Bytes[$Count - $back]
        if (($byte -band 0xc0) -eq 0x80) { continue }
        $length = 1
        if (($byte -band 0xe0) -eq 0xc0) { $length = 2 }
        elseif (($byte -band 0xf0) -eq 0xe0) { $length = 3 }
        elseif (($byte -band 0xf8) -eq 0xf0) { $length = 4 }
        if ($length -gt $back) { return $Count - $back }
        return $Count
    }
    return $Count
}

function Watch-Job($Parameters) {
    $id = Get-JobIdParameter $Parameters
    $offset = [long](Get-NumberParameter $Parameters 'offset')
    $wait = [Math]::Min((Get-NumberParameter $Parameters 'wait'), $LongestWait)
    if ($offset -lt 0) { Stop-Agent 'bad-request' 'parameter offset is negative' }
    $answer = Get-JobState $id $offset
    if ($answer.state -ne 'running' -or $answer.output -or $wait -le 0) { return $answer }
    # Files are looked at, not Windows: a question about a process costs a hundred times as much.
    $folder = Get-JobFolder $id
    $output = [System.IO.FileInfo]::new((Join-Path $folder 'output.txt'))
    $end = Join-Path $folder 'end.json'
    $null = Wait-Until {
        $output.Refresh()
        [System.IO.File]::Exists($end) -or ($output.Exists -and $output.Length -gt $offset)
    } $wait
    return Get-JobState $id $offset
}

# ---- jobs: running -------------------------------------------------------------------------------

# The process of a job: what the scheduled task runs. Nobody listens; all it has to say is in files.
function Invoke-Job([string]$Id) {
    if ($Id -cnotmatch '^[a-z0-9][a-z0-9.-]{0,120}$') { Stop-Agent 'bad-request' 'job-run needs the id of a job' }
    $script:JobFolder = Get-JobFolder $Id
    $job = Read-JsonFile (Join-Path $JobFolder 'job.json')
    # Throws where the job was given up or runs already.
    Publish-JsonFile (Join-Path $JobFolder 'process.json') ([ordered]@{ process_id = $PID; started = (Get-ProcessStart $PID) })
    try {
        try { $end = Invoke-JobKind $job.kind $job.parameters }
        catch { $end = New-JobEnd 1 @{} (Hide-Secret (Get-Cause $_.Exception).Message) }
        if ($OutputProblem) { $end.result['output_problem'] = "not all output could be kept: $OutputProblem" }
        Publish-JsonFile (Join-Path $JobFolder 'end.json') $end
    }
    finally { Remove-JobTask $Id }
}

# Without a type: as a number, an exit code that is missing would be a success.
function New-JobEnd($ExitCode, $Result, [string]$Problem) {
    $Result['problem'] = $Problem
    if ($null -eq $ExitCode) { $ExitCode = 1 }
    return [ordered]@{ exit_code = $ExitCode; result = $Result }
}

# Never throws: a full disk must not end what a job is doing. What was lost first is told at the end.
function Write-JobOutput([string]$Line) {
    try {
        $bytes = [System.Text.Encoding]::UTF8.GetBytes((Hide-Secret $Line) + "`n")
        $stream = [System.IO.FileStream]::new((Join-Path $JobFolder 'output.txt'), [System.IO.FileMode]::Append, [System.IO.FileAccess]::Write, [System.IO.FileShare]::Read)
        try { $stream.Write($bytes, 0, $bytes.Length) }
        finally { $stream.Dispose() }
    }
    catch { Set-OutputProblem $_ }
}

function Set-OutputProblem($Record) {
    if (-not $OutputProblem) { $script:OutputProblem = Hide-Secret (Get-Cause $Record.Exception).Message }
}

$JobKinds = @('stage', 'stop', 'start', 'msi-install', 'msi-uninstall', 'database-state', 'database-upgrade', 'backup')
$ExclusiveKinds = @('msi-install', 'msi-uninstall', 'database-upgrade')

function Invoke-JobKind([string]$Kind, $Parameters) {
    $mutex = $null
    if ($ExclusiveKinds -ccontains $Kind) {
        $mutex = Enter-Mutex 'Global\octotui'
        if ($null -eq $mutex) { return New-JobEnd 1 @{} 'busy' }
    }
    try {
        switch -CaseSensitive ($Kind) {
            'stage' { return Invoke-Stage $Parameters }
            'stop' { return Invoke-Stop $Parameters }
            'start' { return Invoke-Start $Parameters }
            'msi-install' { return Invoke-MsiInstall $Parameters }
            'msi-uninstall' { return Invoke-MsiUninstall $Parameters }
            'database-state' { return Invoke-DatabaseState $Parameters }
            'database-upgrade' { return Invoke-DatabaseUpgrade $Parameters }
            'backup' { return Invoke-Backup $Parameters }
        }
    }
    finally { if ($null -ne $mutex) { Exit-Mutex $mutex } }
}

# Null where somebody else has it.
function Enter-Mutex([string]$Name) {
    try { $mutex = New-Object -TypeName System.Threading.Mutex -ArgumentList $false, $Name }
    catch {
        # It exists, with rights that its owner did not give to us.
        if ((Get-Cause $_.Exception) -is [System.UnauthorizedAccessException]) { return $null }
        throw
    }
    try { if ($mutex.WaitOne(0)) { return $mutex } }
    catch {
        # Its owner died with it; it is ours now.
        if ((Get-Cause $_.Exception) -is [System.Threading.AbandonedMutexException]) { return $mutex }
        throw
    }
    $mutex.Dispose()
    return $null
}

function Exit-Mutex($Mutex) {
    $Mutex.ReleaseMutex()
    $Mutex.Dispose()
}

# ---- jobs: packages ------------------------------------------------------------------------------

function Invoke-Stage($Parameters) {
    $url = Get-TextParameter $Parameters 'url'
    $name = Get-TextParameter $Parameters 'file_name'
    $expected = (Get-TextParameter $Parameters 'sha256').ToLowerInvariant()
    $size = Get-Parameter $Parameters 'size'
    if ($null -ne $size -and -not (Test-Number $size)) { Stop-Agent 'bad-request' 'parameter size is not a number' }
    Assert-FileName $name
    $file = Join-Path (Get-OctotuiFolder 'packages') $name
    $result = [ordered]@{ path = $file; sha256 = ''; size = 0 }
    $problem = Get-PackageProblem $file $expected $null
    if ($problem) {
        $part = "$file.part"
        try { Copy-FromWeb $url $part }
        catch {
            $why = (Get-Cause $_.Exception).Message
            [System.IO.File]::Delete($part)
            return New-JobEnd 1 $result "$name could not be downloaded: $why"
        }
        $problem = Get-PackageProblem $part $expected $size
        if ($problem) {
            [System.IO.File]::Delete($part)
            return New-JobEnd 1 $result "$name $problem"
        }
        [System.IO.File]::Delete($file)
        [System.IO.File]::Move($part, $file)
    }
    $result.sha256 = $expected
    $result.size = [System.IO.FileInfo]::new($file).Length
    return New-JobEnd 0 $result ''
}

# What is wrong with a package on this host; empty where it is the one expected.
function Get-PackageProblem([string]$File, [string]$Expected, $Size) {
    if (-not [System.IO.File]::Exists($File)) { return 'is not there' }
    $stream = Open-Unchanging $File
    try {
        if ($null -ne $Size -and $stream.Length -ne $Size) { return "has $($stream.Length) bytes, not $Size" }
        $hash = Get-StreamHash $stream
    }
    finally { $stream.Dispose() }
    if ($hash -ne $Expected) { return "has the hash $hash, not $Expected" }
    return ''
}

function Copy-FromWeb([string]$Url, [string]$File) {
    $request = [System.Net.WebRequest]::Create($Url)
    $request.Timeout = 60000
    $request.ReadWriteTimeout = 60000
    $response = $request.GetResponse()
    $expected = $response.ContentLength
    $received = [long]0
    $told = [System.Diagnostics.Stopwatch]::StartNew()
    $source = $response.GetResponseStream()
    $target = [System.IO.FileStream]::new($File, [System.IO.FileMode]::Create, [System.IO.FileAccess]::Write)
    try {
        $buffer = [byte[]]::new(1MB)
        while (($count = $source.Read($buffer, 0, $buffer.Length)) -gt 0) {
            $target.Write($buffer, 0, $count)
            $received += $count
            if ($told.Elapsed.TotalSeconds -ge 2) {
                Write-JobOutput "$received"
                $told.Restart()
            }
        }
    }
    finally {
        $target.Dispose()
        $response.Close()
    }
    # .NET ends without an error where the connection was cut in the middle.
    if ($expected -ge 0 -and $received -ne $expected) { throw [System.IO.IOException]::new("the connection ended after $received of $expected bytes") }
}

function Invoke-MsiInstall($Parameters) {
    $path = Get-TextParameter $Parameters 'path'
    $expected = (Get-TextParameter $Parameters 'sha256').ToLowerInvariant()
    # A backslash before the closing quotation mark would escape it.
    $directory = (Get-TextParameter $Parameters 'install_directory').TrimEnd('\', '/')
    foreach ($value in $path, $directory) { Assert-Quotable $value }
    $wanted = ''
    if ($null -ne $Parameters.PSObject.Properties['version']) { $wanted = Get-TextParameter $Parameters 'version' }
    $log = Join-Path $JobFolder 'msi.log'
    $result = [ordered]@{ version = ''; product_code = ''; log = $log; missing = @() }
    if (-not [System.IO.File]::Exists($path)) { return New-JobEnd 1 $result "there is no file $path" }
    # Kept open to the end: what the installer reads is what was hashed.
    $stream = Open-Unchanging $path
    try {
        $hash = Get-StreamHash $stream
        if ($hash -ne $expected) { return New-JobEnd 1 $result "$path has the hash $hash, not $expected" }
        $properties = "RUNMANAGERONEXIT=no INSTALLLOCATION=`"$directory`""
        if (Test-ToReinstall $directory $wanted) { $properties += ' REINSTALL=ALL REINSTALLMODE=amus' }
        $code = Invoke-Msi "/i `"$path`"" $log $properties
    }
    finally { $stream.Dispose() }
    $problem = Get-MsiProblem $code
    $result.version = Get-FileVersion (Join-Path $directory $ServerProgram)
    $result.product_code = Get-ProductCode
    if ($result.version) { $result.missing = @(Get-MissingFile $directory) }
    if (-not $problem -and -not $result.version) { $problem = "msiexec ended with $code, but $ServerProgram is not in $directory" }
    if (-not $problem -and $result.missing.Count) { $problem = "msiexec ended with $code, but $($result.missing.Count) files are missing" }
    return New-JobEnd $code $result $problem
}

# Whether the package to install is installed already: Windows then copies nothing, also where files are
# missing, unless it is told to reinstall. Of a package that is not yet installed that would leave out
# everything. No program at all beside an installed product is an installation of ours that failed: a
# node without one is never upgraded.
function Test-ToReinstall([string]$Directory, [string]$Version) {
    if (-not $Version -or -not (Get-ProductCode)) { return $false }
    return @('', $Version) -ccontains (Get-FileVersion (Join-Path $Directory $ServerProgram))
}

function Invoke-MsiUninstall($Parameters) {
    $product = Get-TextParameter $Parameters 'product_code'
    if ($product -notmatch '^\{[0-9A-Fa-f-]{36}\}$') { Stop-Agent 'bad-request' "$product is no product code" }
    $log = Join-Path $JobFolder 'msi.log'
    $code = Invoke-Msi "/x $product" $log ''
    return New-JobEnd $code @{ log = $log } (Get-MsiProblem $code)
}

function Invoke-Msi([string]$What, [string]$Log, [string]$Properties) {
    $arguments = "$What /quiet /norestart /l*v `"$Log`" $Properties".Trim()
    Write-JobOutput "msiexec.exe $arguments"
    $code = Invoke-Program (Get-SystemProgram 'msiexec.exe') $arguments { param($line) Write-JobOutput $line }
    if ($MsiSuccess -notcontains $code) { Write-MsiFailure $Log }
    return $code
}

function Get-MsiProblem([int]$Code) {
    if ($MsiSuccess -contains $Code) { return '' }
    if ($MsiMeaning.ContainsKey($Code)) { return "msiexec ended with ${Code}: $($MsiMeaning[$Code])" }
    return "msiexec ended with $Code"
}

# The lines before the first action that failed are where the reason stands.
function Write-MsiFailure([string]$Log) {
    if (-not [System.IO.File]::Exists($Log)) { return }
    $lines = (Read-Tail $Log 4MB) -split '\r?\n'
    $at = [Array]::FindIndex([string[]]$lines, [Predicate[string]] { param($line) $line.Contains('Return value 3') })
    if ($at -lt 0) { return }
    foreach ($line in $lines[[Math]::Max(0, $at - 10)..$at]) { Write-JobOutput $line }
}

# ---- jobs: stop and start ------------------------------------------------------------------------

# For so many seconds at most: what came of it is seen in services and processes.
function Invoke-ServiceVerb([string]$Verb, [string]$Instance, [double]$Seconds) {
    Assert-Quotable $Instance
    $what = "service --$Verb of instance $Instance"
    if ($Seconds -le 0) {
        Write-JobOutput "$what was not begun: the time limit was over"
        return
    }
    $code = Invoke-OctopusServer "service --$Verb --instance=`"$Instance`"" { param($line) Write-JobOutput $line } $Seconds
    if ($null -eq $code) { Write-JobOutput "$what had not ended at the time limit" }
    elseif ($code -ne 0) { Write-JobOutput "$what ended with $code" }
}

# The verb ends with 0 also where nothing stopped: only service states and processes prove anything.
function Invoke-Stop($Parameters) {
    $timeout = Get-NumberParameter $Parameters 'timeout'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    foreach ($service in @(Get-OctopusService | Where-Object { $_.state -ne 'stopped' })) { Invoke-ServiceVerb 'stop' $service.instance ($timeout - $watch.Elapsed.TotalSeconds) }
    $stopped = Wait-Until { Test-Stopped (Get-ServicesAnswer) } ($timeout - $watch.Elapsed.TotalSeconds)
    $now = Get-ServicesAnswer
    if ($stopped -and (Test-Stopped $now)) { return New-JobEnd 0 $now '' }
    return New-JobEnd 1 $now 'not every Octopus service and process was gone within the time limit'
}

function Invoke-Start($Parameters) {
    $timeout = Get-NumberParameter $Parameters 'timeout'
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $parked = Get-Parked
    $wanted = @(Get-OctopusService)
    $none = 'there is none on this node'
    if ($null -ne $parked) {
        # One that was just starting was meant to run.
        $ran = @($parked.services | Where-Object { $_.state -ne 'stopped' } | ForEach-Object { $_.name })
        if ($ran.Count -eq 0) { $none = 'none ran when the node was parked' }
        $wanted = @($wanted | Where-Object { $ran -contains $_.name })
    }
    if ($wanted.Count -eq 0) { return New-JobEnd 1 ([ordered]@{ services = @(Get-OctopusService) }) "no service was to be started: $none" }
    foreach ($service in $wanted) {
        if ($service.start_type -eq 'disabled') { Set-StartType $service.name 'manual' }
        if ($service.state -ne 'running') { Invoke-ServiceVerb 'start' $service.instance ($timeout - $watch.Elapsed.TotalSeconds) }
    }
    $names = @($wanted | ForEach-Object { $_.name })
    $running = { @(Get-OctopusService | Where-Object { $names -contains $_.name -and $_.state -ne 'running' }).Count -eq 0 }
    $null = Wait-Until $running ($timeout - $watch.Elapsed.TotalSeconds)
    # As it is now: a service may have run for a moment and ended again.
    $result = [ordered]@{ services = @(Get-OctopusService) }
    $left = @($result.services | Where-Object { $names -contains $_.name -and $_.state -ne 'running' })
    if ($left.Count -eq 0) { return New-JobEnd 0 $result '' }
    return New-JobEnd 1 $result 'not every Octopus service was running within the time limit'
}

# ---- jobs: database ------------------------------------------------------------------------------

function ConvertTo-SqlName([string]$Name) {
    return '[' + $Name.Replace(']', ']]') + ']'
}

function ConvertTo-SqlText([string]$Text) {
    return "N'" + $Text.Replace("'", "''") + "'"
}

function Open-Database($Values) {
    $builder = [System.Data.Common.DbConnectionStringBuilder]::new()
    foreach ($key in $Values.Keys) { $builder.Add($key, $Values[$key]) }
    $builder.Add('Application Name', 'octotui')
    $connection = New-Object -TypeName System.Data.SqlClient.SqlConnection -ArgumentList $builder.get_ConnectionString()
    $connection.Open()
    return $connection
}

function Read-Rows($Connection, [string]$Statement) {
    $command = $Connection.CreateCommand()
    $command.CommandText = $Statement
    $command.CommandTimeout = 60
    $reader = $command.ExecuteReader()
    try {
        while ($reader.Read()) {
            $row = @{}
            for ($column = 0; $column -lt $reader.FieldCount; $column++) {
                $value = ''
                if (-not $reader.IsDBNull($column)) { $value = ConvertTo-PlainText $reader.GetValue($column) }
                $row[$reader.GetName($column)] = $value
            }
            $row
        }
    }
    finally { $reader.Close() }
}

function ConvertTo-PlainText($Value) {
    if ($Value -is [DateTimeOffset] -or $Value -is [datetime]) { return $Value.ToString('o') }
    return [string]$Value
}

function Get-Column($Row, [string]$Name) {
    if ($Row.ContainsKey($Name)) { return $Row[$Name] }
    return ''
}

function Invoke-DatabaseState($Parameters) {
    $entry = Get-InstanceEntry (Get-TextParameter $Parameters 'instance')
    $values = Read-ConnectionString (Get-Configuration $entry.name)
    $state = [ordered]@{
        reachable = $false; problem = ''; identity = (Get-Identity).name; db_owner = $false
        server = $values['Data Source']; database = $values['Initial Catalog']; server_version = ''
        history = @(); nodes = @()
        migrator_running = @(Get-OctopusProcess | Where-Object { $_.verb -eq 'database' }).Count -gt 0
    }
    try {
        $connection = Open-Database $values
        try {
            $who = @(Read-Rows $connection $SqlWho)[0]
            $history = @(Read-Rows $connection $SqlHistory)
            $nodes = @(Read-Rows $connection $SqlNodes)
        }
        finally { $connection.Close() }
    }
    catch {
        $state.problem = Hide-Secret (Get-Cause $_.Exception).Message
        return New-JobEnd 0 ([ordered]@{ state = $state }) ''
    }
    $state.reachable = $true
    $state.identity = $who['who']
    $state.db_owner = $who['owner'] -eq '1'
    $state.server_version = $who['version']
    $state.history = @($history | ForEach-Object { [ordered]@{ version = $_['Version']; installed = $_['Installed'] } })
    $state.nodes = @($nodes | ForEach-Object { [ordered]@{ name = (Get-Column $_ 'Name'); last_seen = (Get-Column $_ 'LastSeen') } } | Sort-Object -Property { $_.name })
    return New-JobEnd 0 ([ordered]@{ state = $state }) ''
}

# Without any time limit: some upgrades take hours, and one that is cut off is worse than a slow one.
function Invoke-DatabaseUpgrade($Parameters) {
    $entry = Get-InstanceEntry (Get-TextParameter $Parameters 'instance')
    Assert-Quotable $entry.name
    $code = Invoke-OctopusServer "database --upgrade --instance=`"$($entry.name)`" --console" { param($line) Write-JobOutput $line }
    $problem = ''
    if ($code -ne 0) { $problem = "the database upgrade ended with $code" }
    return New-JobEnd $code @{} $problem
}

# COPY_ONLY leaves the customer's own chain of differential backups alone.
function Invoke-Backup($Parameters) {
    $entry = Get-InstanceEntry (Get-TextParameter $Parameters 'instance')
    $folder = Get-TextParameter $Parameters 'path'
    $values = Read-ConnectionString (Get-Configuration $entry.name)
    $database = $values['Initial Catalog']
    $file = Get-BackupFile $folder $database
    $result = [ordered]@{
        file = $file; database = $database; server = $values['Data Source']
        started = Get-Now; finished = Get-Now; size = $null; verified = $false
    }
    # From this line on nothing here runs a program of Octopus: an installer may replace them all.
    Write-JobOutput "backing up $database on $($result.server) to $file"
    try {
        $connection = Open-Database $values
        try {
            Invoke-LongStatement $connection ($SqlBackup -f (ConvertTo-SqlName $database), (ConvertTo-SqlText $file))
            $result.finished = Get-Now
            Invoke-LongStatement $connection ($SqlVerify -f (ConvertTo-SqlText $file))
            $result.finished = Get-Now
            $result.verified = $true
        }
        finally { $connection.Close() }
    }
    catch {
        $result.finished = Get-Now
        return New-JobEnd 1 $result (Hide-Secret (Get-Cause $_.Exception).Message)
    }
    # The path is SQL Server's; only sometimes can this host see it too.
    if ([System.IO.File]::Exists($file)) { $result.size = [System.IO.FileInfo]::new($file).Length }
    return New-JobEnd 0 $result ''
}

# The path is read by SQL Server, which may run on Linux, so its own separator is kept.
function Get-BackupFile([string]$Folder, [string]$Database) {
    $separator = '/'
    if ($Folder.Contains('\')) { $separator = '\' }
    $name = $Database -replace '[\\/:*?"<>|]', '_'
    $stamp = [DateTime]::UtcNow.ToString('yyyyMMdd-HHmmss', [System.Globalization.CultureInfo]::InvariantCulture)
    return $Folder.TrimEnd('\', '/') + $separator + $name + '-' + $stamp + '.bak'
}

# Messages come while the statement runs only if errors are messages too; so errors are gathered here.
function Invoke-LongStatement($Connection, [string]$Statement) {
    $script:SqlErrors = @()
    $Connection.FireInfoMessageEventOnUserErrors = $true
    $handler = {
        param($source, $told)
        foreach ($message in @($told.Errors)) {
            Write-JobOutput $message.Message
            if ($message.Class -gt 10) { $script:SqlErrors += $message.Message }
        }
    }
    $Connection.add_InfoMessage($handler)
    try {
        $command = $Connection.CreateCommand()
        $command.CommandText = $Statement
        $command.CommandTimeout = 0
        $null = $command.ExecuteNonQuery()
    }
    finally { $Connection.remove_InfoMessage($handler) }
    if ($SqlErrors.Count) { Stop-Agent 'failed' ($SqlErrors -join ' ') }
}

# ---- the call ------------------------------------------------------------------------------------

function Invoke-Operation([string]$Name, $Parameters) {
    switch -CaseSensitive ($Name) {
        'facts' { return Get-Facts }
        'services' { return Get-ServicesAnswer }
        'prove-file' { return Get-FileProof $Parameters }
        'park' { return Set-Parked }
        'unpark' { return Reset-Parked }
        'job-start' { return Start-AgentJob $Parameters }
        'job-status' { return Watch-Job $Parameters }
        'request' { return Get-LocalAnswer $Parameters }
        'log' { return Get-LogText $Parameters }
        'unstage' { return Remove-Staged $Parameters }
    }
}

$Operations = @('facts', 'services', 'prove-file', 'park', 'unpark', 'job-start', 'job-status', 'request', 'log', 'unstage')

if ($Operation -ceq 'job-run') {
    Invoke-Job $JobId
    exit 0
}
try {
    if ($Operations -cnotcontains $Operation) { Stop-Agent 'bad-request' "unknown operation $Operation" }
    $request = Read-Request
    $answer = @{ ok = $true; result = (Invoke-Operation $Operation (Get-ObjectParameter $request 'parameters')) }
}
catch { $answer = ConvertTo-ErrorAnswer $_ }
Write-Answer $answer
exit 0
