# Authenticode from the world's package catalogue, and owners and rights of files.
Set-StrictMode -Version 3

function Get-AuthenticodeSignature {
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string]$FilePath,
        [Parameter(Mandatory, ParameterSetName = 'Literal')][string]$LiteralPath
    )
    $path = if ($LiteralPath) { $LiteralPath } else { $FilePath }
    if (-not (Test-Path -LiteralPath $path -PathType Leaf)) {
        Write-LabError $PSCmdlet "File $path was not found." 'FileNotFound,Microsoft.PowerShell.Commands.GetAuthenticodeSignatureCommand' 'ObjectNotFound' $path
        return
    }
    # The world hears of a package that was laid down before it hears that it was looked at.
    $null = Request-LabWorld 'note-staged'
    $hash = (Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash.ToLowerInvariant()
    $answer = Request-LabWorld 'signature' @{ path = $path; sha256 = $hash }
    $certificate = if ($answer.signer) { [pscustomobject]@{ Subject = $answer.signer } } else { $null }
    [pscustomobject]@{
        Path = $path; Status = [System.Management.Automation.SignatureStatus]$answer.status
        StatusMessage = $answer.status; SignerCertificate = $certificate; TimeStamperCertificate = $null
    }
}

# Every folder of the lab is as octotui would leave it: of Administrators, theirs and SYSTEM's alone.
function Get-Acl {
    [CmdletBinding(DefaultParameterSetName = 'Path')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string]$Path,
        [Parameter(Mandatory, ParameterSetName = 'Literal')][string]$LiteralPath
    )
    $of = if ($LiteralPath) { $LiteralPath } else { $Path }
    if (-not (Test-Path -LiteralPath $of)) {
        Write-LabError $PSCmdlet "Cannot find path '$of' because it does not exist." 'GetAcl_PathNotFound_Exception,Microsoft.PowerShell.Commands.GetAclCommand' 'ObjectNotFound' $of
        return
    }
    [pscustomobject]@{ Path = $of; Owner = 'BUILTIN\Administrators'; Sddl = 'O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)' }
}

Export-ModuleMember -Function Get-AuthenticodeSignature, Get-Acl
