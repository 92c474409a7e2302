"""Mutants of agent.ps1: made by PowerShell's own parser, judged by the contract tests."""
