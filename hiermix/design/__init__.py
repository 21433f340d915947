"""Formula and rows to numbers with labels."""
