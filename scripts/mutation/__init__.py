"""What scripts/mutants.py is made of: making mutants, running the tests on them, judging."""
