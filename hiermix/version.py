"""The version, in a file of its own so that nothing imports upwards for it."""

__version__ = "0.1.0"
