"""What a model says of the world: predictions, comparisons, slopes, means, ranks."""
