"""The cockpit: reads journals, sends control commands, and nothing else."""
