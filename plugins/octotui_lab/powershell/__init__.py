"""The lab's PowerShell: a real engine runs what the product uploaded, over a shim of Windows."""
