"""Mathematics of grokking without networks."""
