"""Operation tables as tokens, labels and splits."""
