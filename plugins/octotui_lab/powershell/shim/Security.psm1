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
    $hash = (Get-FileHash -LiteralPath $path -Algorithm SHA256).Hash.ToLowerInvariant()
    $answer = Request-LabWorld 'signature' @{ path = $path; sha256 = $hash }
    $certificate = if ($answer.signer) { [pscustomobject]@{ Subject = $answer.signer } } else { $null }
    [pscustomobject]@{
        Path = $path; Status = [System.Management.Automation.SignatureStatus]$answer.status
        StatusMessage = $answer.status; SignerCertificate = $certificate; TimeStamperCertificate = $null
    }
}

Export-ModuleMember -Function Get-AuthenticodeSignature
