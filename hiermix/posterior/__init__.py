"""Draws with labels, and tables of them."""
