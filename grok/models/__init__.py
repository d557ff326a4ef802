"""Functional models over stacks of runs; each returns its activations."""
