"""New rows, new groups, and rows left out."""
