"""What an upgrade is, without any I/O."""
