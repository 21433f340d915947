"""Sums over rows, and group effects given them."""
