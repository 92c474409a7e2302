"""What is done on a Windows node: the agent and its typed caller."""
