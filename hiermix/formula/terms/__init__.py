"""Terms that are more than columns: a file a kind. What a term must supply stands below.

A formula holds, besides columns, functions of them and plain bars, two kinds of special calls:

- right of the tilde, on their own between two ``+``: ``s(x, k=10)``. `registry.RIGHT_SIDE` lists
  what reads one by its word; what it returns stands in ``Formula.specials``;
- right of a bar, in the place of a grouping factor: ``(1 | mm(g1, g2))``. `registry.GROUPS` lists
  what reads one; what it returns stands in ``GroupTerm.how``.

A kind is one file here, with a frozen dataclass of what was written and a function that reads it:

1. ``read(reader)`` takes the call off a `Reader` by `special_calls.Call`, which knows arguments by
   place and by name, checks each as it is taken, and has the caret under what is wrong. A kind
   takes every argument that it knows, then says ``call.done()``;
2. ``str()``: the canonical text, without what is default, which is read again as an equal object:
   a saved fit does that. `special_calls.text` writes it;
3. ``columns``: every column that it names, in the order of first mention. They are looked up in
   the data, must be complete, and are kept with the fit;
4. ``uses``: those among them that go to formulaic's encoder, and how (`tokens.Use`): as numbers,
   or as they stand. Right of a bar there are none: labels are read as those of any factor;
5. ``equation``: the equation that it enters, ``"mu"`` until the parser says another; right of a
   tilde alone.

Right of a bar also ``name``, by which results know the factor, and ``factor``, the columns that
hold its labels.

What it means is not said here: `hiermix.design` makes columns, levels or residual patterns of it,
lists it in `hiermix.design.served`, and docs/extending.md ("A term") has the way on to results.
"""

from hiermix.formula.terms.group_terms import Group, GroupTerm

__all__ = ["Group", "GroupTerm"]
