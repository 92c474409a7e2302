# Objects of Windows' .NET that have no counterpart elsewhere: what New-Object makes here, versions of
# programs, exit codes of more than eight bits.
Set-StrictMode -Version 3

Update-TypeData -Force -TypeName System.IO.FileInfo -MemberType ScriptProperty -MemberName VersionInfo -Value {
    Get-LabVersionInfo $this.FullName
}
Update-TypeData -Force -TypeName System.Diagnostics.Process -MemberType ScriptProperty -MemberName ExitCode -Value {
    Get-LabExitCode $this.Id $this.psbase.ExitCode
}

function New-Object {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)][string]$TypeName,
        [Parameter(Position = 1)][object[]]$ArgumentList = @(),
        [System.Collections.IDictionary]$Property
    )
    switch ($TypeName -replace '^System\.', '') {
        'Threading.Mutex' { return New-LabMutex $ArgumentList }
        'Data.SqlClient.SqlConnection' { return New-LabSqlConnection }
    }
    Microsoft.PowerShell.Utility\New-Object @PSBoundParameters
}

# Windows Installer's mutex is the world's; any other is this node's own, not this whole machine's.
function New-LabMutex($Arguments) {
    if ($Arguments.Count -lt 2) { return [System.Threading.Mutex]::new(@($Arguments)[0]) }
    if ($Arguments[1] -eq 'Global\_MSIExecute') {
        $installer = [pscustomobject]@{}
        $installer | Add-Member -MemberType ScriptMethod -Name WaitOne -Value { param($wait) -not (Request-LabWorld 'installer-busy').busy }
        foreach ($name in 'ReleaseMutex', 'Dispose', 'Close') { $installer | Add-Member -MemberType ScriptMethod -Name $name -Value { } }
        return $installer
    }
    $sha256 = [System.Security.Cryptography.SHA256]::Create()
    $node = [BitConverter]::ToString($sha256.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($OctotuiLab.Root))).Replace('-', '').Substring(0, 16)
    return [System.Threading.Mutex]::new($Arguments[0], "$($Arguments[1])-$node")
}

function Get-LabVersionInfo([string]$Path) {
    $version = (Request-LabWorld 'file-version' @{ path = $Path }).version
    return [pscustomobject]@{ FileName = $Path; FileVersion = $version; ProductVersion = $version }
}

function Get-LabExitCode([int]$ProcessId, [int]$Shown) {
    $file = Join-Path (Join-Path $OctotuiLab.Root '.exit-codes') "$ProcessId"
    if ([System.IO.File]::Exists($file)) { return [int][System.IO.File]::ReadAllText($file) }
    return $Shown
}

# ---- SqlClient -----------------------------------------------------------------------------------

function New-LabSqlConnection {
    $connection = [pscustomobject]@{ FireInfoMessageEventOnUserErrors = $false; Handlers = [System.Collections.Generic.List[object]]::new() }
    # What cannot be reached fails here, as it does there.
    $connection | Add-Member -MemberType ScriptMethod -Name Open -Value { $null = Invoke-LabSql $this 'SELECT 1' }
    $connection | Add-Member -MemberType ScriptMethod -Name Close -Value { }
    $connection | Add-Member -MemberType ScriptMethod -Name Dispose -Value { }
    $connection | Add-Member -MemberType ScriptMethod -Name add_InfoMessage -Value { param($handler) $this.Handlers.Add($handler) }
    $connection | Add-Member -MemberType ScriptMethod -Name remove_InfoMessage -Value { param($handler) $null = $this.Handlers.Remove($handler) }
    $connection | Add-Member -MemberType ScriptMethod -Name CreateCommand -Value { New-LabSqlCommand $this }
    return $connection
}

function New-LabSqlCommand($Connection) {
    $command = [pscustomobject]@{ CommandText = ''; CommandTimeout = 30; Connection = $Connection }
    $command | Add-Member -MemberType ScriptMethod -Name ExecuteNonQuery -Value {
        $null = Invoke-LabSql $this.Connection $this.CommandText
        -1
    }
    $command | Add-Member -MemberType ScriptMethod -Name ExecuteReader -Value {
        , (New-LabSqlTable (Invoke-LabSql $this.Connection $this.CommandText)).CreateDataReader()
    }
    return $command
}

# Runs a statement to its end as the script's own account, its messages to whoever listens.
function Invoke-LabSql($Connection, [string]$Statement) {
    $id = (Request-LabWorld 'sql-start' @{ statement = $Statement; identity = (Get-LabIdentity) }).id
    $offset = 0
    do {
        $news = Request-LabWorld 'sql-wait' @{ id = $id; offset = $offset; wait = 20 }
        foreach ($message in $news.messages) { Send-LabSqlMessage $Connection $message 0 }
        $offset += @($news.messages).Count
    } until ($news.done)
    if ($news.error) {
        if (-not $Connection.FireInfoMessageEventOnUserErrors) { throw $news.error }
        Send-LabSqlMessage $Connection $news.error 16
    }
    return , @($news.rows)
}

function Send-LabSqlMessage($Connection, [string]$Message, [int]$Class) {
    $told = [pscustomobject]@{ Message = $Message; Errors = @([pscustomobject]@{ Message = $Message; Class = $Class }) }
    foreach ($handler in $Connection.Handlers.ToArray()) { & $handler $Connection $told }
}

function New-LabSqlTable($Rows) {
    $table = [System.Data.DataTable]::new()
    foreach ($row in $Rows) {
        $line = $null
        foreach ($cell in $row.PSObject.Properties) {
            if (-not $table.Columns.Contains($cell.Name)) { $null = $table.Columns.Add($cell.Name, [object]) }
            if ($null -eq $line) { $line = $table.NewRow() }
            $line[$cell.Name] = if ($null -eq $cell.Value) { [DBNull]::Value } else { $cell.Value }
        }
        $table.Rows.Add($line)
    }
    return , $table
}
