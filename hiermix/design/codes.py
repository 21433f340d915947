"""Codes of rows and labels of levels, of one column or of columns crossed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hiermix.design import group_checks, kinds
from hiermix.design.encoding import ordering
from hiermix.design.kinds import KnownLabels

type Codes = NDArray[np.int32]


type Labels = NDArray[np.object_]


def codes_of(
    name: str,
    factor: Sequence[str],
    frame: pd.DataFrame,
    known: Mapping[str, KnownLabels] | None = None,
) -> tuple[Codes, list[object]]:
    """Return a code per row and the labels in order; -1 where a label is missing.

    With `known`, labels are those of the fit, however they are written.
    """
    each = known or {}
    codes, labels = column_codes(factor[0], frame[factor[0]], each.get(factor[0]))
    for column in factor[1:]:
        inner, inner_labels = column_codes(column, frame[column], each.get(column))
        codes, labels = _crossed(codes, labels, inner, inner_labels)
        group_checks.labels_read_apart(name, labels)
    return codes.astype(np.int32), labels


def _crossed(
    outer: NDArray[np.int64],
    outer_labels: Sequence[object],
    inner: NDArray[np.int64],
    inner_labels: Sequence[object],
) -> tuple[NDArray[np.int64], list[object]]:
    """Return codes and labels of the pairs that some row has, in the order of the two."""
    size = len(inner_labels)
    pairs = np.where((outer < 0) | (inner < 0), -1, outer * size + inner)
    codes, found = pd.factorize(pairs, sort=True)
    missing = int((found < 0).sum())
    spelled = kinds.spelled
    labels = [
        f"{spelled(outer_labels[pair // size])}:{spelled(inner_labels[pair % size])}"
        for pair in found[missing:]
    ]
    return codes - missing, list(labels)


def column_codes(
    name: str, values: pd.Series, known: KnownLabels | None = None
) -> tuple[NDArray[np.int64], list[object]]:
    """Return codes and labels of one column; categories keep their order, others are sorted."""
    group_checks.no_mixed_truth(name, values)
    uniques: Any
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.cat.remove_unused_categories()
        codes, uniques = values.cat.codes.to_numpy().astype(np.int64), values.cat.categories
        order = np.arange(len(uniques))
    else:
        codes, uniques = pd.factorize(values)
        if pd.api.types.is_string_dtype(values.dtype):  # Arrow's text is slow to go through
            uniques = np.asarray(uniques, dtype=object)
        order = ordering(uniques)
    labels = _plain_labels(name, uniques[order])
    if known is not None:
        labels = [known.find(label) for label in labels]
    place = {label: position for position, label in enumerate(dict.fromkeys(labels))}
    table = np.full(len(uniques) + 1, -1)
    table[order] = [place[label] for label in labels]
    return table[codes], list(place)


def _plain_labels(name: str, uniques: Iterable[object]) -> list[object]:
    labels = list(uniques)
    if kinds.are_text(labels):
        return list(map(str, labels))
    labels = [kinds.plain(label) for label in labels]
    for label in labels:
        if not isinstance(label, str | int | float):
            group_checks.plain_label(name, label)
    group_checks.labels_read_apart(name, labels)
    return labels
