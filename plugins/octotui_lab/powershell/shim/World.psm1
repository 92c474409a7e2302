# How the shim asks the lab's world, and how its functions fail as cmdlets do.
Set-StrictMode -Version 3

function Request-LabWorld {
    # One primitive call of this node; the answer as an object. Throws with the world's own words.
    param([string]$Call, [System.Collections.IDictionary]$Arguments = @{})
    $body = [System.Net.Http.StringContent]::new((ConvertTo-Json -InputObject $Arguments -Compress -Depth 5), [System.Text.Encoding]::UTF8, 'application/json')
    $response = $OctotuiLab.Http.PostAsync("$($OctotuiLab.Control)/windows/$($OctotuiLab.Node)/$Call", $body).GetAwaiter().GetResult()
    $text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
    if (-not $response.IsSuccessStatusCode) { throw "$Call`: $text" }
    return ConvertFrom-Json -InputObject $text
}

function Write-LabError {
    # A non-terminating error of the calling cmdlet, which its caller's preference may make terminating:
    # a module does not see that preference by itself.
    param($Cmdlet, [string]$Message, [string]$Id, [System.Management.Automation.ErrorCategory]$Category = 'NotSpecified', $Target = $null)
    $record = [System.Management.Automation.ErrorRecord]::new([System.InvalidOperationException]::new($Message), $Id, $Category, $Target)
    $bound = $Cmdlet.MyInvocation.BoundParameters
    $preference = if ($bound.ContainsKey('ErrorAction')) { $bound['ErrorAction'] } else { $Cmdlet.SessionState.PSVariable.GetValue('ErrorActionPreference') }
    if ("$preference" -eq 'Stop') { $Cmdlet.ThrowTerminatingError($record) }
    if ("$preference" -notin 'Ignore', 'SilentlyContinue') { $Cmdlet.WriteError($record) }
}

function Get-LabIdentity {
    # Whom the running script acts as: a job's account, or whoever is logged on.
    $job = Get-Variable -Name OctotuiLabTask -Scope Global -ValueOnly -ErrorAction Ignore
    if ($job) { return $job.Identity }
    return $global:OctotuiLabUser
}

function ConvertFrom-LabTime {
    # Epoch seconds as the local DateTime that CIM shows.
    param([double]$Seconds)
    return [DateTimeOffset]::FromUnixTimeMilliseconds([long]($Seconds * 1000)).LocalDateTime
}
