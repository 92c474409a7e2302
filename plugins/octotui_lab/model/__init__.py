"""What the simulated cluster is made of and how each part behaves. Pure, one subject a module."""
