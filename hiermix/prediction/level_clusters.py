"""Which new levels depend on each other: those that rows with a response join."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hiermix.design.design import Design
from hiermix.design.groupings import Grouping
from hiermix.errors import DataError

type Level = tuple[Grouping, int]
"""A grouping factor and a position among its new levels."""
type Ints = NDArray[np.intp]


def clusters(design: Design, factors: list[str]) -> Iterator[tuple[list[Level], Ints]]:
    """Yield new levels that share rows with a response, by name and label, and those rows."""
    groupings = [each for each in design.groupings if each.name in factors and len(each.new_levels)]
    if not groupings:
        return
    for each in groupings:
        if not each.factor.partitions:
            raise DataError(
                f"new_groups='update' knows rows of one level: of {each.name!r} they have several. "
                "new_groups='sample' draws the effects of new levels from the fitted spread"
            )
    levels = [
        (each, place)
        for each in sorted(groupings, key=lambda each: each.name)
        for place in np.argsort(each.new_levels.astype(str)).tolist()
    ]
    rows, nodes = _nodes(design, levels)
    if not len(rows):
        return
    part = _parts(nodes, len(levels))
    part_of_row = part[nodes.max(axis=1)]
    order = np.argsort(part_of_row, kind="stable")
    found, starts = np.unique(part_of_row[order], return_index=True)
    for which, some in zip(found, np.split(rows[order], starts[1:]), strict=True):
        yield [levels[node] for node in np.flatnonzero(part == which)], some


def _nodes(design: Design, levels: list[Level]) -> tuple[Ints, NDArray[np.int64]]:
    """Rows that inform new levels, and per row and factor which of the levels, or -1."""
    known = observed(design)
    columns = []
    for name in dict.fromkeys(each.name for each, _ in levels):
        grouping = design.grouping(name)
        node_of_code = np.full(len(grouping.levels) + len(grouping.new_levels) + 1, -1)
        for node, (each, place) in enumerate(levels):
            if each.name == name:
                node_of_code[len(grouping.levels) + place] = node
        columns.append(node_of_code[grouping.codes])
    nodes = np.column_stack(columns)
    rows = np.flatnonzero(known & (nodes >= 0).any(axis=1))
    return rows, nodes[rows]


def observed(design: Design) -> NDArray[np.bool_]:
    """Return which rows have a response; raise where no row can have one."""
    if design.response is None:
        raise DataError(
            f"new_groups='update' learns from the response of new groups: the new data have no "
            f"column {design.response_name!r}. 'sample' draws effects from the fitted spread."
        )
    return ~np.isnan(design.response)


def _parts(nodes: NDArray[np.int64], size: int) -> NDArray[np.int32]:
    """Return the connected components of levels that rows join."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    anchor = nodes.max(axis=1)
    rows, columns = np.nonzero(nodes >= 0)
    edges = (np.ones(len(rows)), (anchor[rows], nodes[rows, columns]))
    part: NDArray[np.int32] = connected_components(coo_array(edges, shape=(size, size)), False)[1]
    return part
