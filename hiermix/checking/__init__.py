"""Checks of a fit: its chains, its priors, its likelihood and its draws, in one report."""
