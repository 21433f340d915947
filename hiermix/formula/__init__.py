"""Text to Formula: what is written, before any data."""
