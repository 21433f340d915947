"""What a response is: distributions, links, priors, and one row a family.

Functions of a distribution take the name of the link, then arrays that broadcast: the linear
predictor ``eta`` and, in ``own``, the family's own parameters and what a row brings (``trials``,
``censored``). A parameter that is a vector has an axis of its own, the last. Means, draws and
densities are right wherever the numbers go: draws that no number can hold become the smallest or
the largest one, counts end at 9e18.
"""
