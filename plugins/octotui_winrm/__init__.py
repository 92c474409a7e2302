"""Transport: WinRM, over pywinrm."""
