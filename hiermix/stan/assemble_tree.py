"""Design + priors -> the program that integrates effects of nested factors out, and its data."""

from dataclasses import replace

import numpy as np

from hiermix.design.design import Design
from hiermix.design.effect_sizes import EffectSizes
from hiermix.families import linear_scale
from hiermix.families.priors import PriorTable
from hiermix.families.table import find
from hiermix.stan import programs, stan_data, tree_data, variables
from hiermix.stan.assemble import Assembled, center_of
from hiermix.statistics import column_spreads
from hiermix.statistics.tree import statistics
from hiermix.tuning import mode_guesses
from hiermix.tuning.coordinates import Hyperpriors
from hiermix.tuning.mode_guesses import Hyper
from hiermix.tuning.points import Point
from hiermix.tuning.standardise_tree import standardise


def assemble(
    design: Design, table: PriorTable, *, prior_only: bool = False, near: Point | None = None
) -> Assembled:
    """Put the program together, in the coordinates of the mode next to `near`."""
    family, groupings = find("gaussian"), design.groupings
    y = linear_scale.less_offset(linear_scale.response(design), design)
    known = design.formula.beside.known_errors
    mean = column_spreads.means(design, design.equations[0]) if known else None
    weights = linear_scale.precisions(design)
    tree = statistics(design, y, weights, rows=not prior_only, mean=mean)
    priors = Hyperpriors(
        b=stan_data.b_priors(design, table),
        sigma=None if known else table["sigma"],
        sd=stan_data.sd_priors(groupings, table),
        sizes=EffectSizes.concatenated([each.spreads for each in groupings]),
        lkj=stan_data.lkj_shapes(groupings, table),
        blocks=[size for each in groupings for size in each.blocks],
        near=None if near is None else near.b,
    )
    phi = None if near is None else np.concatenate([near.own, near.log_sd, near.cor])
    at = standardise(tree, priors, phi)
    data = stan_data.coordinates(design, family, table, at, priors.b_precision)
    data |= stan_data.own_priors(family, table)
    data |= tree_data.statistics(tree, [each.blocks for each in groupings])
    data |= {"A": int(not known)}
    if known and not prior_only:  # in the place of rows: what they add to the log density
        data["N"] = linear_scale.of_known_variances(design) / np.log(2 * np.pi)
    own = family.scalars(design)
    keep = variables.kept([each.name for each in own], data)
    ready = Assembled(programs.find(programs.NESTED), data, tree.x_mean, tree, keep, groupings)
    if prior_only:
        return ready
    levels = [(gram, each.blocks) for gram, each in zip(tree.grams, groupings, strict=True)]
    hyper = Hyper(
        [(each, table[each.name]) for each in own],
        priors.sd,
        priors.sizes,
        priors.b,
        tree.within.b_hat[: len(priors.b)],
        levels,
    )
    return replace(ready, guesses=mode_guesses.around(center_of(data), hyper))
