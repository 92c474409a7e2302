"""Validators: pure functions over facts."""
