"""Lightning: the one place where it is imported."""
