"""Where chains start: modes of a program's own density."""
